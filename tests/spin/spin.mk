# SPDX-License-Identifier: GPL-2.0-only
# The model of what several vCPUs of a guest do to each other; tests/run/spin.py
# has Spin explore it.

PACKAGES	+= spin
RUN_TESTS	+= spin.py
