"""The group that holds the commands: how they end, and how errors are reported.

Every command ends in a documented exit code (0 done, 2 cannot be done, 130 interrupted), with at
most one line on stderr.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

import click
from click.core import ParameterSource

from caveats.errors import ConfigError, nearest, sentence, visible

__all__ = ["INTERRUPTED", "Interrupted", "Program"]

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Interrupted(click.ClickException):
    """Ctrl-C, with the sentence that says what was interrupted."""

    exit_code = INTERRUPTED


# What a disk that is full, read-only or failing says; without a file name, that of a standard
# stream.
_TROUBLES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def drop(stream: TextIO) -> None:
    """Discard the output that is still to be written: else Python would fail at it again at its
    end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Program(click.Group):
    """A group whose errors are one sentence each, and which suggests the nearest command for an
    unknown one.

    Options of the group are for the program without a command. Before a command they would be lost,
    so they are refused there.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        stdout = sys.stdout
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
        except click.Abort:
            click.echo("Interrupted", err=True)
            code = INTERRUPTED
        except Interrupted as error:
            click.echo(error.message, err=True)
            code = error.exit_code
        except click.ClickException as error:
            said = " ".join(error.format_message().split())  # click lists choices on lines
            click.echo(f"Error: {visible(said)}", err=True)
            code = error.exit_code
        except ConfigError as error:
            click.echo(f"Error: {error}", err=True)
            code = 2
        except (MemoryError, RuntimeError) as error:  # torch raises it when out of memory
            said = sentence(error)
            if not said.startswith("out of memory"):
                raise
            click.echo(f"Error: {said}", err=True)
            code = 2
        except OSError as error:
            if error.errno not in _TROUBLES:
                raise
            said = f"{visible(error.filename)}: {error.strerror}"
            if error.filename is None:
                drop(sys.stdout)
                said = f"the output cannot be written: {error.strerror}"
            click.echo(f"Error: {said}", err=True)
            code = 2
        except SystemExit:
            # click wraps stdout when its reader is gone (`| head`), which is no error.
            if sys.stdout is stdout:
                raise
            drop(stdout)
            code = 0
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # flush here, where an error is still reported
            return result
        except KeyboardInterrupt:
            raise Interrupted("Interrupted") from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.resilient_parsing:  # shell completion: the command may be half typed
            return super().resolve_command(ctx, args)
        name = args[0]
        commands = self.list_commands(ctx)
        if name not in commands:
            ctx.fail(f"{visible(repr(name))} is no command: {nearest(name, commands)}")
        for parameter in self.params:
            if ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
                option = parameter.opts[0]
                ctx.fail(f"{option} is before {name}: the options of a command come after its name")
        return super().resolve_command(ctx, args)
