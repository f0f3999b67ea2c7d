// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters under their names: as JSON at the end of the machine, and to
 * the guest through VMI's CPUID call.
 */
#include <host.h>
#include <stdarg.h>
#include <string.h>

#include "core.h"
#include "lib.h"

/* One counter, or several as their sum: 64-bit words of struct guest, and
 * those of vCPU 0 for any vCPU. */
struct counter {
	const char	*name;		/* to the guest */
	const char	*group;		/* in JSON; there only if it is not 0 */
	const char	*json;		/* the name there */
	uint32_t	offset, words;
};

/* The groups, compared by address. */
static const char exits[] = "exits_by_reason";
static const char calls[] = "vmi_calls_that_exited";
static const char insns[] = "emulated_instructions";

#define AT(field)	offsetof(struct guest, field)
#define EXIT(vector, name) \
	{ "exit_" name, exits, name, AT(vcpu[0].stats.exits[vector]), 1 }
#define HCALL(nr, name, call) \
	{ "hc_" #name, calls, #call, AT(vcpu[0].stats.hcalls[nr]), 1 },
#define INSN(op, name) \
	{ name, insns, name, AT(vcpu[0].stats.emulated[op]), 1 }

/* What a guest asks for by number has this order. */
static const struct counter counter[] = {
	{ "exits", NULL, "exits", AT(vcpu[0].stats.exits), 256 },
	EXIT(0, "de"), EXIT(VEC_DB, "db"), EXIT(VEC_BP, "bp"),
	EXIT(VEC_OF, "of"), EXIT(5, "br"), EXIT(VEC_UD, "ud"),
	EXIT(VEC_NM, "nm"), EXIT(VEC_NP, "np"), EXIT(VEC_SS, "ss"),
	EXIT(VEC_GP, "gp"), EXIT(VEC_PF, "pf"), EXIT(16, "mf"),
	EXIT(VEC_AC, "ac"), EXIT(19, "xm"),
	EXIT(IRQ_BASE + IRQ_TIMER, "timer"),
	EXIT(IRQ_BASE + IRQ_KICK, "kick"),
	EXIT(IRQ_BASE + IRQ_COM1, "console"),
	EXIT(SYSCALL_VECTOR, "int80"), EXIT(STUB_VECTOR, "hypercall"),
	STUB_HCALLS(HCALL)
	{ "drains", NULL, "queue_drains", AT(vcpu[0].stats.drains), 1 },
	{ "drained", NULL, "queue_entries", AT(vcpu[0].stats.drained), 1 },
	{ "shadow_fills", NULL, "shadow_fills", AT(mm.fills), 1 },
	{ "shadow_zaps", NULL, "shadow_zaps", AT(mm.zaps), 1 },
	{ "reflected", NULL, "page_faults_reflected", AT(vcpu[0].stats.reflected), 1 },
	{ "injected", NULL, "interrupts_injected", AT(vcpu[0].stats.injected), 1 },
	{ "io_unknown", NULL, "unknown_ports", AT(vcpu[0].stats.io_unknown), 1 },
	INSN(INSN_CLI, "cli"), INSN(INSN_STI, "sti"), INSN(INSN_HLT, "hlt"),
	INSN(INSN_IN, "in"), INSN(INSN_OUT, "out"), INSN(INSN_INS, "ins"),
	INSN(INSN_OUTS, "outs"), INSN(INSN_MOV_FROM_CR, "mov_from_cr"),
	INSN(INSN_MOV_TO_CR, "mov_to_cr"),
	INSN(INSN_MOV_FROM_DR, "mov_from_dr"),
	INSN(INSN_MOV_TO_DR, "mov_to_dr"), INSN(INSN_CLTS, "clts"),
	INSN(INSN_INVD, "invd"), INSN(INSN_WBINVD, "wbinvd"),
	INSN(INSN_RDMSR, "rdmsr"), INSN(INSN_WRMSR, "wrmsr"),
	INSN(INSN_RDPMC, "rdpmc"), INSN(INSN_RDTSC, "rdtsc"),
	INSN(INSN_LGDT, "lgdt"), INSN(INSN_LIDT, "lidt"),
	INSN(INSN_SGDT, "sgdt"), INSN(INSN_SIDT, "sidt"),
	INSN(INSN_SMSW, "smsw"), INSN(INSN_LMSW, "lmsw"),
	INSN(INSN_INVLPG, "invlpg"), INSN(INSN_LLDT, "lldt"),
	INSN(INSN_LTR, "ltr"), INSN(INSN_SLDT, "sldt"), INSN(INSN_STR, "str"),
	INSN(INSN_MOV_TO_SREG, "mov_to_ss"), INSN(INSN_POP_SREG, "pop_ss"),
	INSN(INSN_LOAD_FAR, "lss"), INSN(INSN_RET_FAR, "retf"),
	INSN(INSN_IRET, "iret"), INSN(INSN_INT, "int"),
	INSN(INSN_SYSENTER, "sysenter"), INSN(INSN_SYSEXIT, "sysexit"),
	INSN(INSN_SWAPGS, "swapgs"), INSN(INSN_SYSRET, "sysret"),
	INSN(INSN_STAC, "stac"), INSN(INSN_CLAC, "clac"),
	INSN(INSN_INVPCID, "invpcid"),
	INSN(INSN_CPUID, "cpuid"), INSN(INSN_VMCALL, "vmcall"),
	INSN(INSN_VMMCALL, "vmmcall"),
	INSN(INSN_MOV_LOAD, "apic_load"), INSN(INSN_MOV_STORE, "apic_store"),
	INSN(INSN_MOV_IMM, "apic_store_imm"),
	INSN(INSN_MOVZX, "movzx"), INSN(INSN_MOVSX, "movsx"),
	INSN(INSN_MOVS, "movs"), INSN(INSN_STOS, "stos"),
	INSN(INSN_LODS, "lods"),
};

#define NAME(nr, name, call)	[nr] = "hc_" #name,
const char *const hcall_name[STUB_HC_COUNT] = { STUB_HCALLS(NAME) };
#undef NAME

static bool of_vcpu(const struct counter *c)
{
	return c->offset - AT(vcpu) < sizeof(((struct guest *)0)->vcpu[0]);
}

/* Of so many vCPUs, from this one on. */
static uint64_t value_of(const struct guest *g, const struct counter *c,
			 uint32_t first, uint32_t vcpus)
{
	const char *at = (const char *)g + c->offset;
	uint64_t sum = 0;
	uint32_t i;

	if (of_vcpu(c))
		at += first * sizeof(g->vcpu[0]);
	else
		vcpus = 1;
	for (; vcpus--; at += sizeof(g->vcpu[0]))
		for (i = 0; i < c->words; i++)
			sum += ((const uint64_t *)at)[i];
	return sum;
}

/* ---- to the guest ------------------------------------------------------- */

void stats_cpuid(struct guest *g, uint32_t leaf, uint32_t r[4])
{
	bool names = leaf >= STUB_CPUID_NAMES;
	uint32_t wanted = leaf - (names ? STUB_CPUID_NAMES :
					  STUB_CPUID_COUNTERS);
	uint64_t value;

	memset(r, 0, 16);
	if (leaf < STUB_CPUID_COUNTERS || wanted >= ARRAY_SIZE(counter))
		return;
	if (names) {
		const char *name = counter[wanted].name;
		uint32_t len = strlen(name);

		memcpy(r, name, len < 16 ? len : 16);
		return;
	}
	value = value_of(g, &counter[wanted], 0, g->vcpus);
	r[0] = value;
	r[2] = ARRAY_SIZE(counter);
	r[3] = value >> 32;
}

/* ---- to vmi-run --------------------------------------------------------- */

static void put(void *arg, char c)
{
	(void)arg;
	host_stats(c);
}

static void __attribute__((format(printf, 1, 2))) out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(put, NULL, fmt, ap);
	va_end(ap);
}

static void print_counters(const struct guest *g, uint32_t first,
			   uint32_t vcpus, const char *margin)
{
	const char *comma = "", *group = NULL, *before;
	const struct counter *c;
	uint64_t value;

	for (c = counter; c < counter + ARRAY_SIZE(counter); c++) {
		if (vcpus < g->vcpus && !of_vcpu(c))
			continue;
		if (group && c->group != group) {
			out("\n%s}", margin);
			comma = ",";
		}
		if (c->group && c->group != group) {
			out("%s\n%s\"%s\": {", comma, margin, c->group);
			comma = "";
		}
		group = c->group;
		value = value_of(g, c, first, vcpus);
		if (group && !value)
			continue;
		before = c->offset == AT(vcpu[0].stats.hcalls[STUB_HC_QUEUE_FULL]) ?
			 "full queue in " : "";
		out("%s\n%s%s\"%s%s\": %lu", comma, margin, group ? "  " : "",
		    before, c->json, value);
		comma = ",";
	}
	out("\n%s}", margin);
}

/* Of several vCPUs their sums, and each. */
static void print_guest(const struct guest *g)
{
	uint32_t i;

	out("{");
	print_counters(g, 0, g->vcpus, "  ");
	if (g->vcpus > 1) {
		out(",\n  \"vcpus\": [");
		for (i = 0; i < g->vcpus; i++) {
			out(i ? ", {" : "{");
			print_counters(g, i, 1, "    ");
			out("\n  }");
		}
		out("]");
	}
	out("\n}\n");
}

/* One guest as an object, several as an array of them. */
void stats_print(void)
{
	uint32_t i;

	for (i = 0; i < guest_count; i++) {
		if (guest_count > 1)
			out(i ? "," : "[");
		print_guest(guests[i]);
	}
	if (guest_count > 1)
		out("]\n");
}
