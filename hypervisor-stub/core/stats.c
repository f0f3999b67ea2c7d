// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters under their names: as JSON at the end of the machine, and to
 * the guest through VMI's CPUID call.
 */
#include <cpu.h>
#include <string.h>

#include "hv.h"

static const char *const exit_name[256] = {
	[0] = "exit_de", [VEC_DB] = "exit_db", [VEC_BP] = "exit_bp",
	[VEC_OF] = "exit_of", [5] = "exit_br", [VEC_UD] = "exit_ud",
	[VEC_NM] = "exit_nm", [VEC_NP] = "exit_np", [VEC_SS] = "exit_ss",
	[VEC_GP] = "exit_gp", [VEC_PF] = "exit_pf", [16] = "exit_mf",
	[VEC_AC] = "exit_ac", [19] = "exit_xm",
	[IRQ_BASE + IRQ_TIMER] = "exit_timer",
	[IRQ_BASE + IRQ_COM1] = "exit_console",
	[SYSCALL_VECTOR] = "exit_int80",
	[STUB_VECTOR] = "exit_hypercall",
};

#define NAME(nr, name, call)	[nr] = "hc_" #name,
const char *const hcall_name[STUB_HC_COUNT] = { STUB_HCALLS(NAME) };
#undef NAME
#define NAME(nr, name, call)	[nr] = #call,
static const char *const hcall_call[STUB_HC_COUNT] = { STUB_HCALLS(NAME) };
#undef NAME

static const char *const insn_name[INSN_OPS] = {
	[INSN_CLI] = "cli", [INSN_STI] = "sti", [INSN_HLT] = "hlt",
	[INSN_IN] = "in", [INSN_OUT] = "out", [INSN_INS] = "ins",
	[INSN_OUTS] = "outs", [INSN_MOV_FROM_CR] = "mov_from_cr",
	[INSN_MOV_TO_CR] = "mov_to_cr", [INSN_MOV_FROM_DR] = "mov_from_dr",
	[INSN_MOV_TO_DR] = "mov_to_dr", [INSN_CLTS] = "clts",
	[INSN_INVD] = "invd", [INSN_WBINVD] = "wbinvd",
	[INSN_RDMSR] = "rdmsr", [INSN_WRMSR] = "wrmsr",
	[INSN_LGDT] = "lgdt", [INSN_LIDT] = "lidt", [INSN_SGDT] = "sgdt",
	[INSN_SIDT] = "sidt", [INSN_SMSW] = "smsw", [INSN_LMSW] = "lmsw",
	[INSN_INVLPG] = "invlpg", [INSN_LLDT] = "lldt", [INSN_LTR] = "ltr",
	[INSN_SLDT] = "sldt", [INSN_STR] = "str",
	[INSN_MOV_TO_SREG] = "mov_to_ss", [INSN_POP_SREG] = "pop_ss",
	[INSN_LOAD_FAR] = "lss", [INSN_RET_FAR] = "retf",
	[INSN_IRET] = "iret", [INSN_INT] = "int",
	[INSN_RDPMC] = "rdpmc", [INSN_RDTSC] = "rdtsc",
	[INSN_SYSENTER] = "sysenter", [INSN_SYSEXIT] = "sysexit",
	[INSN_MOV_LOAD] = "apic_load", [INSN_MOV_STORE] = "apic_store",
	[INSN_MOV_IMM] = "apic_store_imm",
};

static uint64_t all_exits(const struct guest *g)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 256; i++)
		sum += g->vcpu.exits[i];
	return sum;
}

/* Call each(name, value) for every counter; the order is fixed. */
static void for_each(struct guest *g,
		     void (*each)(void *, const char *, uint64_t), void *arg)
{
	struct stats *s = &g->stats;
	int i;

	each(arg, "exits", all_exits(g));
	for (i = 0; i < 256; i++)
		if (exit_name[i])
			each(arg, exit_name[i], g->vcpu.exits[i]);
	for (i = 0; i < STUB_HC_COUNT; i++)
		each(arg, hcall_name[i], s->hcall[i]);
	each(arg, "drains", s->drains);
	each(arg, "drained", s->drained);
	each(arg, "shadow_fills", s->shadow_fills);
	each(arg, "shadow_zaps", s->shadow_zaps);
	each(arg, "reflected", s->reflected);
	each(arg, "injected", s->injected);
	each(arg, "io_unknown", s->io_unknown);
	for (i = 0; i < INSN_OPS; i++)
		if (insn_name[i])
			each(arg, insn_name[i], s->emulated[i]);
}

/* ---- to the guest ------------------------------------------------------- */

struct pick {
	uint32_t	wanted, count;
	const char	*name;
	uint64_t	value;
};

static void pick(void *arg, const char *name, uint64_t value)
{
	struct pick *p = arg;

	if (p->count++ == p->wanted) {
		p->name = name;
		p->value = value;
	}
}

void stats_cpuid(struct guest *g, uint32_t leaf, uint32_t r[4])
{
	bool names = leaf >= STUB_CPUID_NAMES;
	struct pick p = {
		.wanted = leaf - (names ? STUB_CPUID_NAMES :
					  STUB_CPUID_COUNTERS),
	};

	memset(r, 0, 16);
	if (leaf == STUB_CPUID_BASE) {
		r[0] = STUB_CPUID_NAMES + 0xff;
		memcpy(r + 1, "OpenVMI\0stub", 12);
		return;
	}
	if (leaf < STUB_CPUID_COUNTERS)
		return;
	for_each(g, pick, &p);
	if (!p.name)
		return;
	if (names) {
		uint32_t len = strlen(p.name);

		memcpy(r, p.name, len < 16 ? len : 16);
		return;
	}
	r[0] = p.value;
	r[2] = p.count;
	r[3] = p.value >> 32;
}

/* ---- to vmi-run --------------------------------------------------------- */

static void out(const char *s)
{
	while (*s)
		host_stats(*s++);
}

static void out_pair(const char *comma, const char *prefix, const char *name,
		     uint64_t value)
{
	char digits[21], *p = digits + sizeof(digits);

	*--p = '\0';
	do
		*--p = '0' + value % 10;
	while (value /= 10);
	out(comma);
	out("\"");
	out(prefix);
	out(name);
	out("\": ");
	out(p);
}

static void print_guest(struct guest *g)
{
	struct stats *s = &g->stats;
	const char *comma = "\n    ";
	int i;

	out("{\n  ");
	out_pair("", "", "exits", all_exits(g));
	out(",\n  \"exits_by_reason\": {");
	for (i = 0; i < 256; i++) {
		if (!exit_name[i] || !g->vcpu.exits[i])
			continue;
		out_pair(comma, "", exit_name[i] + 5, g->vcpu.exits[i]);
		comma = ",\n    ";
	}
	out("\n  },\n  \"vmi_calls_that_exited\": {");
	comma = "\n    ";
	for (i = 0; i < STUB_HC_COUNT; i++) {
		if (!s->hcall[i])
			continue;
		out_pair(comma, i == STUB_HC_QUEUE_FULL ? "full queue in " : "",
			 hcall_call[i], s->hcall[i]);
		comma = ",\n    ";
	}
	out("\n  },\n  ");
	out_pair("", "", "queue_drains", s->drains);
	out_pair(",\n  ", "", "queue_entries", s->drained);
	out_pair(",\n  ", "", "shadow_fills", s->shadow_fills);
	out_pair(",\n  ", "", "shadow_zaps", s->shadow_zaps);
	out_pair(",\n  ", "", "page_faults_reflected", s->reflected);
	out_pair(",\n  ", "", "interrupts_injected", s->injected);
	out_pair(",\n  ", "", "unknown_ports", s->io_unknown);
	out(",\n  \"emulated_instructions\": {");
	comma = "\n    ";
	for (i = 0; i < INSN_OPS; i++) {
		if (!insn_name[i] || !s->emulated[i])
			continue;
		out_pair(comma, "", insn_name[i], s->emulated[i]);
		comma = ",\n    ";
	}
	out("\n  }\n}\n");
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
