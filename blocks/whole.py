"""Clients that notice when an answer broke off in the middle.

botocore compares the length of a body with its announcement only where the body is read as a stream. Of any
other answer it takes what came: half a JSON document counts as an empty one, a list as a list without
entries, an error as an unknown error. Here such an answer is what it is, a lost connection, and botocore's
own retries ask again.
"""

from typing import Any

from botocore.exceptions import ConnectionClosedError


def insist_on_whole_answers(client: Any) -> Any:
    """The client, which from now on retries a request whose answer is shorter than announced."""
    session = client._endpoint.http_session  # its sending is the one place inside the retries
    send = session.send

    def send_and_compare(request: Any) -> Any:
        response = send(request)
        is_left_to_the_reader = request.stream_output and response.status_code < 300
        if request.method != "HEAD" and not is_left_to_the_reader:
            _compare(request, response)
        return response

    session.send = send_and_compare
    return client


def _compare(request: Any, response: Any) -> None:
    announced = response.headers.get("Content-Length")
    if announced is None or not announced.isdigit() or response.status_code in (204, 304):
        return
    if len(response.content) < int(announced):
        text = f"{len(response.content)} of {announced} bytes came"
        raise ConnectionClosedError(endpoint_url=request.url, request=request, response=response, error=text)
