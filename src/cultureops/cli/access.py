"""Commands on accounts: who may do what here, and how they prove to be who they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, PasswordFile, command_group, finish

__all__ = ["group"]

group = command_group("Accounts: who may do what, passwords, second factors, sessions, tokens, the access review.")
token = command_group("API tokens of one's own account; shown once, with scopes and an end.")
group.add_typer(token, name="token")

Username = Annotated[str, typer.Argument(metavar="ACCOUNT", help="User name of the account.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="OP, RV, QC, QA, QP, ST, CL, EQ, or AD alone.")]
Actor = Annotated[str, typer.Option("--actor", metavar="ID", help="Your own account.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]
NewPasswordFile = Annotated[
    Path | None, typer.Option("--new-password-file", help="File with the new password; asked for without it.")
]


@group.command("set-up")
def set_up(
    username: Annotated[str, typer.Option(help="User name of the first administrator.")] = "",
    printed_name: Annotated[str, typer.Option(help="The name as it is printed.")] = "",
    link_only: Annotated[bool, typer.Option("--link-only", help="Only print the one-time link for the pages.")] = False,
    new_password_file: NewPasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Make the first administrator of a data folder; there is no default password."""
    from cultureops.keeping import access

    finish(
        lambda: access.set_up(data_dir, username, printed_name, new_password_file, link_only=link_only, as_json=as_json)
    )


@group.command("list")
def list_(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Name all accounts, disabled ones too."""
    from cultureops.keeping import access

    finish(lambda: access.list_accounts(data_dir, as_json=as_json))


@group.command("create")
def create(
    username: Username,
    printed_name: Annotated[str, typer.Option(help="The name as it stands beside signatures.")],
    role: Annotated[list[str], typer.Option(help="A role; give it again for more.")],
    actor: Actor,
    reason: Why = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Make an account and print the invitation by which its person sets a password."""
    from cultureops.keeping import access

    by = access.By(actor, password_file)
    finish(lambda: access.invite_person(data_dir, username, printed_name, role, by, reason, as_json=as_json))


@group.command("invite")
def invite(
    username: Username,
    actor: Actor,
    reason: Why = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Print a new invitation; for an account in use this is a reset, after which the identity is checked anew."""
    from cultureops.keeping import access

    by = access.By(actor, password_file)
    finish(lambda: access.invite_person(data_dir, username, None, (), by, reason, as_json=as_json))


@group.command("accept")
def accept(
    invitation_file: Annotated[
        Path | None, typer.Option("--invitation-file", help="File with the invitation; asked for without it.")
    ] = None,
    new_password_file: NewPasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Set your own password by an invitation."""
    from cultureops.keeping import own_account

    finish(lambda: own_account.accept_invitation(data_dir, invitation_file, new_password_file, as_json=as_json))


@group.command("password")
def password(
    actor: Actor,
    new_password_file: NewPasswordFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Change your own password."""
    from cultureops.keeping import access, own_account

    by = access.By(actor, password_file)
    finish(lambda: own_account.change_password(data_dir, by, new_password_file, as_json=as_json))


@group.command("totp")
def totp(
    actor: Actor,
    title: Annotated[str, typer.Option(help="What the phone is called.")] = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Add a phone as your second factor."""
    from cultureops.keeping import access, own_account

    finish(lambda: own_account.add_totp(data_dir, access.By(actor, password_file), title, as_json=as_json))


@group.command("verify-identity")
def verify_identity(
    username: Username,
    how: Annotated[str, typer.Option(help="How it was checked, e.g. which document was seen.")],
    actor: Actor,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Record that you have checked who uses an account; it may sign from then on."""
    from cultureops.keeping import access

    finish(
        lambda: access.change_account(
            data_dir,
            access.By(actor, password_file),
            lambda desk, by: desk.verify_identity(username, how, by),
            as_json=as_json,
        )
    )


@group.command("enable-signing")
def enable_signing(
    username: Username,
    actor: Actor,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let an account sign whose identity was checked."""
    from cultureops.keeping import access

    finish(
        lambda: access.change_account(
            data_dir,
            access.By(actor, password_file),
            lambda desk, by: desk.enable_signing(username, by),
            as_json=as_json,
        )
    )


def _of_role(name: str, about: str) -> None:
    """Add a command that changes one role of an account."""

    def change(
        username: Username,
        role: RoleName,
        actor: Actor,
        reason: Why,
        password_file: PasswordFile = None,
        data_dir: DataDir = Path("data"),
        as_json: AsJson = False,
    ) -> None:
        from cultureops.keeping import access

        finish(
            lambda: access.change_account(
                data_dir,
                access.By(actor, password_file),
                lambda desk, by: getattr(desk, name)(username, role, by, reason),
                as_json=as_json,
            )
        )

    group.command(name, help=about)(change)


def _of_account(name: str, about: str) -> None:
    """Add a command that changes an account as a whole."""

    def change(
        username: Username,
        actor: Actor,
        reason: Why,
        password_file: PasswordFile = None,
        data_dir: DataDir = Path("data"),
        as_json: AsJson = False,
    ) -> None:
        from cultureops.keeping import access

        finish(
            lambda: access.change_account(
                data_dir,
                access.By(actor, password_file),
                lambda desk, by: getattr(desk, name)(username, by, reason),
                as_json=as_json,
            )
        )

    group.command(name, help=about)(change)


_of_role("grant", "Grant a role to somebody else.")
_of_role("revoke", "Take a role away.")
_of_account("disable", "End an account's use; it stays on record and its name is never given again.")
_of_account("reinstate", "Let the same person use a disabled account again, after a new invitation.")
_of_account("unlock", "Unlock an account that wrong passwords have locked.")


@group.command("sessions")
def sessions(
    username: Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="Only of this account.")] = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Name the log-ins that have not ended and the tokens that still count."""
    from cultureops.keeping import access

    finish(lambda: access.list_sessions(data_dir, username, as_json=as_json))


@group.command("end-session")
def end_session(
    username: Username,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, as `access sessions` shows it.")],
    actor: Actor,
    reason: Why = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """End a session of your own, or as administrator anybody's."""
    from cultureops.keeping import access

    finish(
        lambda: access.change_account(
            data_dir,
            access.By(actor, password_file),
            lambda desk, by: desk.end_session(username, session, by, reason),
            as_json=as_json,
        )
    )


@token.command("issue")
def token_issue(
    title: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="read, alarms:act or records:write; give it again for more.")],
    actor: Actor,
    days: Annotated[float, typer.Option(help="For how many days it counts.")] = 90.0,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Print a new token of your own account, once."""
    from cultureops.keeping import access, own_account

    by = access.By(actor, password_file)
    finish(lambda: own_account.hand_out_token(data_dir, by, title, scope, days, as_json=as_json))


@token.command("revoke")
def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `access sessions` shows it.")],
    actor: Actor,
    reason: Why = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """End a token of your own, or as administrator anybody's."""
    from cultureops.keeping import access

    finish(
        lambda: access.change_account(
            data_dir,
            access.By(actor, password_file),
            lambda desk, by: desk.revoke_token(token_id, by, reason),
            as_json=as_json,
        )
    )


@group.command("review")
def review(
    actor: Annotated[str | None, typer.Option("--actor", metavar="ID", help="QA who signs the review.")] = None,
    conclusion: Annotated[str, typer.Option(help="What was found and what is changed after it.")] = "",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show who may do what, what is dormant, locked or open; with --actor and --conclusion QA signs it."""
    from cultureops.keeping import access

    by = None if actor is None else access.By(actor, password_file)
    finish(lambda: access.review_access(data_dir, by, conclusion, as_json=as_json))


@group.command("recover")
def recover(
    username: Annotated[str, typer.Option(help="The administrator to be invited anew.")],
    reason: Annotated[str, typer.Option(help="What was lost, and who decided to recover it.")],
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Invite an administrator anew whom nobody else can help, or after the file of secrets was lost; recorded."""
    from cultureops.keeping import access

    finish(lambda: access.recover_administrator(data_dir, username, reason, as_json=as_json))
