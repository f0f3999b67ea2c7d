// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does anything: the input is a program of stores to its memory
 * and to the shared area, of what its registers hold, of time and of exits.
 */
#include "world.h"

/* Addresses that mean something, and others. */
static uint32_t address(struct input *in)
{
	static const uint32_t base[] = {
		0, KERNEL_BASE, IN_FRAME(CODE_FRAME), IN_FRAME(STACK_FRAME),
		IN_FRAME(DATA_FRAME), USER_FRAME << 12, IN_FRAME(TSS_FRAME),
		0xfbfff000, 0xfc000000, 0xfc010000, 0xfee00000, 0xfffff000,
		IN_FRAME(GDT_FRAME), IN_FRAME(LDT_FRAME), 0x40000000,
		IN_FRAME(500),
	};
	uint32_t word = input_u16(in);

	if (word >> 12 == 15)
		return input_u32(in);
	return base[word >> 12] + (word & 0xfff);
}

static void store(struct input *in)
{
	uint8_t how = input_u8(in);
	uint64_t word = how & 16 ? input_u64(in) : input_u32(in);
	uint32_t len = how & 16 ? 8 : 4;

	world_write((uint32_t)(how & 15) << PAGE_SHIFT |
		    (input_u16(in) * len & (PAGE_SIZE - 1)), &word, len);
}

/* A table's entry that leads somewhere, and the word that tells of it. */
static void map(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t gfn = PD_FRAME + how % 6, i = input_u8(in);
	bool wide = gfn >= PDPT_FRAME;
	uint64_t entry = input_u8(in);

	entry |= (uint64_t)input_u16(in) << 12;
	if (how & 0x80)
		entry |= 1ull << 63;
	i = how & 0x40 ? 1023 - i : i;
	i &= wide ? 511 : 1023;
	world_write((gfn << PAGE_SHIFT) + i * (wide ? 8 : 4), &entry,
		    wide ? 8 : 4);
}

static void share(struct input *in)
{
	uint16_t at = input_u16(in);
	uint32_t word = input_u32(in);

	at = (at & 0x8000 ? at : at & 0x1ff) % (sizeof(*v->sh) / 4);
	memcpy((uint8_t *)v->sh + at * 4, &word, 4);
}

static void queue(struct input *in)
{
	int32_t tail = v->sh->tail;

	if (tail >= 0 || tail < -STUB_QUEUE_LEN)
		return;
	v->sh->queue[STUB_QUEUE_LEN + tail] = input_u32(in);
	v->sh->tail = tail + 1;
}

static void registers(struct input *in)
{
	uint8_t how = input_u8(in);

	if ((how & 15) < 8) {
		v->regs->gpr[how & 7] = how & 16 ? address(in) : input_u32(in);
		return;
	}
	switch (how & 7) {
	case 0:
		v->regs->rsp = address(in);
		break;
	case 1:
		v->regs->rip = address(in);
		break;
	case 2:		/* what the guest can have */
		v->regs->rflags = (input_u32(in) & 0x54dd5) |
				  EFLAGS_FIXED | EFLAGS_IF;
		break;
	case 3:
		if (v->rom->windows)
			v->regs->rip = input_u8(in) % 16 +
				v->rom->window[(how >> 4) % v->rom->windows].start;
		break;
	case 4:
		v->regs->rip = v->rom->iret_insn[how >> 4 & 1];
		break;
	case 5:
		world_type(how >> 4);
		break;
	}
}

/* Load a segment register; what the processor refuses is a fault. */
static void load(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t sel = input_u8(in) << 3 | (how >> 3 & 7), ring = sel & 3;
	uint64_t d = desc_lookup(v, sel);
	bool code = d & DESC_CODE;

	if (how & 1) {		/* another ring: as after IRET */
		uint32_t ss = ring == 3 ? 0x7b : 0x69;
		uint64_t s = desc_lookup(v, ss);

		if ((ring != 1 && ring != 3) || !code || !(d & DESC_P) ||
		    (d >> 45 & 3) != ring || !(s & DESC_P) ||
		    (s & DESC_CODE) || (s >> 45 & 3) != ring)
			return;
		v->regs->cs = sel;
		v->regs->ss = ss;
		return;
	}
	if (!(sel & ~3u)) {
		d = DESC_P;
	} else if (!(d & DESC_P) || (code && !(d >> 41 & 1)) ||
		   (d >> 45 & 3) < ring || (d >> 45 & 3) < (v->regs->cs & 3)) {
		world_exit(VEC_GP, sel & ~3u);
		return;
	}
	switch (how >> 1 & 3) {
	case 0:
		cpu.ds = sel;
		break;
	case 1:
		cpu.es = sel;
		break;
	case 2:
		cpu.fs = sel;
		break;
	case 3:
		cpu.gs = sel;
		break;
	}
}

static void hypercall(struct input *in)
{
	uint8_t nr = input_u8(in);

	if ((v->regs->cs & 3) != 1)
		return;		/* the gate's DPL */
	v->regs->gpr[EAX] = nr & 0x80 ? input_u32(in) : nr;
	if (nr & 0x40) {
		v->regs->gpr[EAX] &= 63;
		v->regs->gpr[EDX] = address(in);
		v->regs->gpr[ECX] = input_u32(in);
	}
	world_exit(STUB_VECTOR, 0);
}

/* An instruction at eip, if that is in the guest's own code. */
static void instruction(struct input *in)
{
	uint8_t how = input_u8(in);
	const uint8_t *at;
	gva32_t eip = v->regs->rip;
	size_t len;

	at = input_bytes(in, how & 15, &len);
	if ((eip & 0x3ffff000) == CODE_FRAME << 12 && len)
		world_write(eip & 0x3fffffff, at, len);
	/* The privileged ones are a #GP, by a selector or without. */
	world_exit(how & 16 ? VEC_UD : VEC_GP, how & 32 ? input_u16(in) : 0);
}

static void access(struct input *in)
{
	uint8_t how = input_u8(in);
	bool user = (v->regs->cs & 3) == 3;

	world_access(address(in), how & 1, user, !(how & 1) && (how & 2));
}

static void exception(struct input *in)
{
	static const uint8_t vector[] = {
		0, 1, 3, 4, 5, 7, 10, 11, 12, 16, 17, 19, SYSCALL_VECTOR
	};
	uint8_t how = input_u8(in), n = vector[how % sizeof(vector)];

	/* INT n leaves eip behind it. */
	world_exit(n, n >= 10 && n <= 17 && n != 16 ? input_u16(in) : 0);
}

static void interrupt(struct input *in)
{
	uint8_t how = input_u8(in);

	cpu.tsc += (uint64_t)input_u16(in) << (how >> 4);
	world_exit(IRQ_BASE + (how & 7 ? IRQ_TIMER : how & 8 ? IRQ_COM1 : 7),
		   0);
}

/* In virtual-8086 mode, where everything is as the guest likes. */
static void vm86(struct input *in)
{
	static const uint8_t vector[] = {
		1, VEC_NMI, 3, VEC_GP, VEC_PF, IRQ_BASE, SYSCALL_VECTOR
	};

	v->regs->cs = input_u16(in);
	v->regs->ss = input_u16(in);
	v->regs->rflags = input_u32(in) | EFLAGS_VM;
	world_vm86(vector[input_u8(in) % sizeof(vector)]);
}

/* The processor does not like EIP, or what CS or SS has become. */
static void iret_fault(struct input *in)
{
	static const uint8_t vector[] = { VEC_GP, VEC_SS, VEC_NP };

	world_iret_fault(vector[input_u8(in) % sizeof(vector)], input_u16(in));
}

static void run(struct input *in)
{
	static void (*const op[])(struct input *) = {
		store, map, share, queue, registers, load, hypercall,
		instruction, access, exception, interrupt, vm86, iret_fault
	};

	while (in->left) {
		op[input_u8(in) % ARRAY_SIZE(op)](in);
		world_check_cpu();
	}
}

void fuzz_one(struct input *in)
{
	world_reset(input_u8(in) % WORLD_MODES);
	world_run(run, in);
	world_check_cpu();
	world_check_tables();
	world_check_shadow();
}
