"""The menu holds what there is for whom, and says where one is."""

from cultureops.access.roles import Role
from cultureops.web.navigation import menu

THERE = frozenset({"/", "/alarms", "/batches/new", "/quality", "/audit", "/accounts", "/health", "/lots/{lot_id}"})

EVERYWHERE = frozenset(
    ["/", "/due", "/batches/new", "/bench", "/alarms", "/quality", "/deviations", "/equipment", "/lots", "/recipes"]
) | {"/devices", "/roster", "/site", "/audit", "/accounts", "/health"}


def words(roles: frozenset[Role], path: str = "/", *, is_display: bool = False) -> list[str]:
    return [link.words for link in menu(THERE, path, roles, is_display=is_display)]


def test_each_role_sees_what_is_for_it_and_nothing_dangles() -> None:
    assert words(frozenset({Role.OPERATOR})) == ["Board", "New batch", "Alarms", "Audit trail", "Health"]
    assert words(frozenset({Role.QUALITY_ASSURANCE})) == [
        *("Board", "Alarms", "Quality", "Audit trail", "Accounts", "Health")
    ]
    assert words(frozenset()) == ["Board", "Alarms", "Audit trail", "Health"], "who holds no role can still log out"
    assert words(frozenset({Role.OPERATOR}), is_display=True) == ["Board"]


def test_no_page_stands_twice_in_the_menu() -> None:
    addresses = [link.address for link in menu(EVERYWHERE, "/", frozenset(Role), is_display=False)]
    assert len(addresses) == len(set(addresses)) > 10


def test_one_entry_at_most_is_where_one_is() -> None:
    for path, here in (
        ("/", ["Board"]),
        ("/alarms", ["Alarms"]),
        ("/alarms/history", ["Alarms"]),
        ("/alarmsx", []),
        ("/batches/new", ["New batch"]),
        ("/batches/B-1", []),
    ):
        links = menu(THERE, path, frozenset({Role.OPERATOR}), is_display=False)
        assert [link.words for link in links if link.is_here] == here, path
