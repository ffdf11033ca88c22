"""An Amazon-Forecast-compatible server that trains open models."""
