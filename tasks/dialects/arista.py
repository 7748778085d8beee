"""Arista EOS."""

import re
from dataclasses import replace

from tasks.dialects.cisco import CISCO_IOS

ARISTA_EOS = replace(CISCO_IOS, noise=(re.compile(r"\s*!"), re.compile(r"end$")), hier_config="ARISTA_EOS")
