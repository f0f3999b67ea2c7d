/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZYDIS_ORACLE_H
#define ZYDIS_ORACLE_H

#include "insn.h"

#define ZYDIS_BYTES	32

/* What it is, INSN_NONE if it is not in our list; does not return if decode()
 * says something else than Zydis. */
enum insn_op zydis_compare(const uint8_t bytes[ZYDIS_BYTES],
			   enum code_bits bits);

#endif
