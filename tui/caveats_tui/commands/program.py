"""The group that holds the commands: how they end, and what is said when they cannot begin.

It knows no command. Whatever happens ends in a documented exit code (0 done, 2 bad input, 130
interrupted) with at most one line on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from caveats.errors import ConfigError, nearest, visible

__all__ = ["INTERRUPTED", "Interrupted", "Program"]

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Interrupted(click.ClickException):
    """Ctrl-C, with the sentence that says what was going on."""

    exit_code = INTERRUPTED


class Program(click.Group):
    """A group whose errors are one sentence each, and which looks for the command that was meant.

    Options of the group belong to what runs without a command; given before a command they would
    be lost, so they are refused there.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
        except click.Abort:
            click.echo("Interrupted", err=True)
            code = INTERRUPTED
        except Interrupted as error:
            click.echo(error.message, err=True)
            code = error.exit_code
        except click.ClickException as error:
            click.echo(f"Error: {visible(error.format_message())}", err=True)
            code = error.exit_code
        except ConfigError as error:
            click.echo(f"Error: {error}", err=True)
            code = 2
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("Interrupted") from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.resilient_parsing:  # completing a command line, which may be half written
            return super().resolve_command(ctx, args)
        name = args[0]
        commands = self.list_commands(ctx)
        if name not in commands:
            ctx.fail(f"{visible(repr(name))} is no command: {nearest(name, commands)}")
        for parameter in self.params:
            if ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
                option = parameter.opts[0]
                ctx.fail(f"{option} stands before {name}: options of a command follow its name")
        return super().resolve_command(ctx, args)
