"""Ciena SAOS 6 and 8, whose lines take effect at once, outside any mode."""

import re

from tasks.dialects.contract import Dialect, FlatRules, Refusal

VALUE = r'(?:"[^"]*"|\S+)'

CIENA_SAOS = Dialect(
    refusals=(Refusal(words=re.compile(r"^\s*(?:SHELL PARSER FAILURE|ERROR:)"), error_class="unsupported"),),
    show_config="configuration show",
    save="configuration save",
    config_refusal=r"^\s*(?:SHELL PARSER FAILURE|ERROR:).*$",
    prompt_line=r"^\S+[>#$] ?$",
    noise=(re.compile(r"\s*!"),),
    flat=FlatRules(
        settings=(
            re.compile(rf"(.+ set .*?){VALUE}$"),
            re.compile(r"(.+) (?:enable|disable) (.+)$"),
        ),
        removals=(
            (re.compile(r"(.+) unset (.+)$"), r"\1 set \2"),
            (re.compile(r"(.+) remove (.+)$"), r"\1 add \2"),
            (re.compile(r"(.+) delete (.+)$"), r"\1 create \2"),
        ),
    ),
)
