import pytest
from hier_config import Platform as HierConfigPlatform
from netmiko.ssh_dispatcher import CLASS_MAPPER

from inventory.errors import UnknownPlatformError
from inventory.platforms import PLATFORMS, find, near


def test_a_slug_leads_to_its_name_in_every_library() -> None:
    platform = find("cisco_xe")
    assert platform.label == "Cisco IOS XE"
    assert platform.netmiko == "cisco_xe"
    assert platform.napalm == "ios"
    assert platform.ntc_templates == "cisco_ios"
    assert platform.hier_config == "CISCO_IOS"
    assert platform.port == 22


def test_the_demo_networks_platforms_are_known() -> None:
    assert find("cisco_ios").netmiko == "cisco_ios"
    assert find("ciena_saos").ntc_templates == "ciena_saos"


def test_every_netmiko_name_is_one_that_netmiko_knows() -> None:
    assert [p.slug for p in PLATFORMS.values() if p.netmiko not in CLASS_MAPPER] == []


def test_every_hier_config_name_is_one_that_hier_config_knows() -> None:
    known = {member.name for member in HierConfigPlatform}
    assert [p.slug for p in PLATFORMS.values() if p.hier_config and p.hier_config not in known] == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("cisco-ios", "cisco_ios"), ("Cisco IOS", "cisco_ios"), ("cisco_iso", "cisco_ios"), ("saos", "ciena_saos")],
)
def test_an_unknown_slug_is_refused_with_the_nearest_ones(wrong: str, right: str) -> None:
    with pytest.raises(UnknownPlatformError, match=right):
        find(wrong)


def test_a_slug_that_resembles_nothing_is_refused_with_where_to_look() -> None:
    with pytest.raises(UnknownPlatformError, match="/inventory/v1/platforms"):
        find("toaster")
    with pytest.raises(UnknownPlatformError, match="there is no platform ''"):
        find("")


def test_at_most_a_few_near_names_are_offered() -> None:
    assert len(near("cisco", PLATFORMS)) <= 4
