// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator: a few registers, then the bytes of an instruction, which is
 * carried out or refused. Zydis says how long it is and which registers it
 * writes: no other may change, and a refused one changes nothing.
 */
#include <Zydis/Zydis.h>

#include "world.h"

static ZydisDecoder zydis;

/* A bit for each general register that the instruction writes. */
static uint32_t written(const ZydisDecodedInstruction *z,
			const ZydisDecodedOperand *ops)
{
	uint32_t mask = 0;
	int i;

	/* To Zydis these are part of the memory operand. */
	if (z->meta.category == ZYDIS_CATEGORY_IOSTRINGOP)
		mask = 1u << ESI | 1u << EDI;
	for (i = 0; i < z->operand_count; i++) {
		ZydisRegister r = ops[i].reg.value;

		if (ops[i].type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		r = ZydisRegisterGetLargestEnclosing(
			ZYDIS_MACHINE_MODE_LEGACY_32, r);
		if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_EDI)
			mask |= 1u << (r - ZYDIS_REGISTER_EAX);
	}
	return mask;
}

static void check_emulated(const struct regs *before, const uint8_t *code,
			   size_t len)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const struct regs *after = v->regs;
	ZydisDecodedInstruction z;
	uint32_t mask, i;

	CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, code, len, &z, ops)));
	mask = written(&z, ops);
	/* A result, and what a request may change (N-3.1, N-4.3). */
	if (z.mnemonic == ZYDIS_MNEMONIC_VMCALL ||
	    z.mnemonic == ZYDIS_MNEMONIC_VMMCALL)
		mask |= 1u << EAX | 1u << EDX | 1u << ESI | 1u << EDI | 1u << EBP;
	for (i = 0; i < 8; i++)
		if (i != ESP && !(mask & 1u << i))
			CHECK_EQ(after->gpr[i], before->gpr[i]);
	CHECK_EQ(after->rip >> 32, 0);
	CHECK((after->cs & 3) == 1 || (after->cs & 3) == 3);
	/* From user mode it gets to the kernel by an event alone. */
	if ((before->cs & 3) == 3 && (after->cs & 3) == 3)
		CHECK_EQ(after->cs, before->cs);
	if (after->cs == before->cs)
		CHECK_EQ(after->ss & 3, after->cs & 3);
	CHECK(!(after->rflags & (EFLAGS_VM | EFLAGS_IOPL)) &&
	      (after->rflags & EFLAGS_IF));
	/* One that goes on is behind itself, or repeats, or is STI that has
	 * looked for HLT. */
	if (after->cs == before->cs && after->rsp == before->rsp &&
	    after->rip - before->rip < 16 && after->rip != before->rip &&
	    z.mnemonic != ZYDIS_MNEMONIC_STI)
		CHECK_EQ(after->rip, before->rip + z.length);
}

static uint32_t value(struct input *in)
{
	static const uint32_t base[] = {
		KERNEL_BASE, IN_FRAME(DATA_FRAME), IN_FRAME(STACK_FRAME),
		USER_FRAME << 12, 0x174, 0, 0xc0000080, 0xfc000000
	};
	uint16_t word = input_u16(in);

	return word & 0x8000 ? input_u32(in) :
			       base[word >> 12 & 7] + (word & 0xfff);
}

static void one(struct input *in)
{
	uint8_t how = input_u8(in), n;
	bool user = how & 1, did;
	uint32_t frame = user ? USER_FRAME : CODE_FRAME;
	uint32_t at = how & 2 ? PAGE_SIZE - 1 - (how >> 4) : 0x100;
	uint8_t code[INSN_MAX] = { 0 };
	const uint8_t *bytes;
	struct regs before;
	size_t len;

	for (n = how >> 2 & 3; n; n--) {
		uint8_t reg = input_u8(in);

		v->regs->gpr[reg & 7] = value(in);
	}
	bytes = input_bytes(in, INSN_MAX, &len);
	if (len)
		memcpy(code, bytes, len);
	world_write((frame << PAGE_SHIFT) + at, code, sizeof(code));
	v->regs->rip = (frame << PAGE_SHIFT) + at +
		       (v->mmu.mm->reserved && !user ? KERNEL_BASE : 0);
	v->regs->rsp = IN_FRAME(STACK_FRAME) + 0x800;
	v->regs->cs = user ? 0x73 : 0x61;
	v->regs->ss = user ? 0x7b : 0x69;
	v->regs->rflags = EFLAGS_FIXED | EFLAGS_IF |
			  (how & 0x80 ? EFLAGS_DF : 0);
	v->regs->error = how & 0x40 ? 0x10a : 0;
	if (user && (how & 0x20))
		v->iopl = EFLAGS_IOPL;
	before = *v->regs;
	did = emulate(v);
	if (did)
		check_emulated(&before, code, sizeof(code));
	else
		CHECK(!memcmp(&before, v->regs, sizeof(before)));
	world_check_cpu();
}

void fuzz_one(struct input *in)
{
	enum world_mode mode = input_u8(in) % WORLD_MODES;

	if (!zydis.machine_mode)
		ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
	world_reset(mode);
	world_run(one, in);
	world_check_cpu();
	world_check_tables();
}
