; SPDX-License-Identifier: GPL-2.0-only
;
; The native backend for 64-bit guests: no call has anything behind it.
