"""`python -m local up|dashboard|down|status|logs|wipe|demo`: the whole product on this machine."""

import argparse
import os
import shutil
import subprocess
import sys
import webbrowser

from local import stack
from local.settings import Settings, SettingsError


def _up(settings: Settings, arguments: argparse.Namespace) -> int:
    print("Starting the local stack …", flush=True)
    started = stack.up(settings, _say)
    print("The stack is up." if started else "The stack runs already.")
    print(f"  Prefect UI       {settings.prefect_url}")
    print(f"  dashboard        {settings.dashboard_url}")
    print(f"  AWS endpoint     {settings.aws_url}")
    print(f"  use it           source {settings.folder / 'env'}")
    print("  stop it          make down")
    return 0


def _dashboard(settings: Settings, arguments: argparse.Namespace) -> int:
    stack.up(settings, _say)
    print(f"The dashboard is at {settings.dashboard_url}")
    webbrowser.open(settings.dashboard_url)  # does nothing where there is no browser
    return 0


def _down(settings: Settings, arguments: argparse.Namespace) -> int:
    ran = stack.down(settings)
    print(f"The stack is down; its state stays in {settings.folder}." if ran else "The stack does not run.")
    return 0


def _status(settings: Settings, arguments: argparse.Namespace) -> int:
    known = stack.status(settings)
    print("\n".join(stack.describe(known)))
    return 0 if known["state"] == "up" else 1


def _logs(settings: Settings, arguments: argparse.Namespace) -> int:
    path = stack.logs(settings, arguments.part)
    if path.is_dir():
        print("\n".join(str(each) for each in sorted(path.iterdir())))
        return 0
    command = ["tail", "-n", "200", *(["-f"] if arguments.follow else []), str(path)]
    return subprocess.call(command) if shutil.which("tail") else print(path.read_text()) or 0


def _wipe(settings: Settings, arguments: argparse.Namespace) -> int:
    stack.wipe(settings)
    print(f"Removed {settings.folder}.")
    return 0


def _supervise(settings: Settings, arguments: argparse.Namespace) -> int:
    from local.supervisor import main

    return main()


def _demo(settings: Settings, arguments: argparse.Namespace) -> int:
    from local.demo import demo

    return demo(settings, arguments.data or None, arguments.params or None, keep=arguments.keep)


def _say(line: str) -> None:
    print(line, flush=True)


def _yes(text: str) -> bool:
    return text.lower() not in ("no", "0", "false", "off")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m local", description="The whole product on this machine.")
    commands = made.add_subparsers(required=True, metavar="up|dashboard|down|status|logs|wipe|demo")
    for name, function, text in (
        ("up", _up, "start the stack, or do nothing if it runs"),
        ("dashboard", _dashboard, "start the stack if need be, and open the dashboard"),
        ("down", _down, "stop it; the state stays"),
        ("status", _status, "which parts are well; exit status 0 if all are"),
        ("wipe", _wipe, "stop it and remove all state"),
        ("supervise", _supervise, "run in the foreground (what `up` starts in the background)"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=function)
    logs = commands.add_parser("logs", help="the logs, or the end of one")
    logs.add_argument("part", nargs="?", help="a part's name, such as forecastd")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.set_defaults(run=_logs)
    demo = commands.add_parser("demo", help="upload data and follow it to a published forecast")
    demo.add_argument("--data", help="a CSV of your own")
    demo.add_argument("--params", help="its params.json (otherwise one is proposed)")
    usual = "no" if _yes(os.environ.get("CI") or "no") else "yes"
    demo.add_argument("--keep", type=_yes, default=usual, help="yes: leave the stack running (default)")
    demo.set_defaults(run=_demo)
    return made


def main() -> int:
    """Do what the command line says; errors are one sentence, status 1."""
    arguments = parser().parse_args()
    try:
        settings = stack.as_running(Settings.from_environment(os.environ))
        return int(arguments.run(settings, arguments))
    except (SettingsError, stack.StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What was started runs on: make status, make down.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
