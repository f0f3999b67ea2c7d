// SPDX-License-Identifier: GPL-2.0-only
/* What the emulator calls, instead of the hypervisor; and one instruction. */
#include "emul.h"

struct guest guest;
struct cpu cpus[HOST_CPUS];
struct vcpu *const v = &guest.vcpu[0];
struct regs regs;
struct stub_shared shared;
uint8_t memory[MEMORY];
uint64_t emul_gdt[GDT_ENTRIES];

struct emulator_call last;
uint32_t port_value;
bool port_busy;

static void called(const char *name, uint64_t a, uint64_t b)
{
	last.name = name;
	last.a = a;
	last.b = b;
	last.calls++;
}

/* ---- what the emulator calls ------------------------------------------------ */

bool guest_read(struct mmu *m, void *dst, gva_t va, uint32_t len)
{
	(void)m;
	if (va >= UNMAPPED || va + len > UNMAPPED)
		return false;
	memcpy(dst, memory + va, len);
	return true;
}

bool guest_write(struct mmu *m, gva_t va, const void *src, uint32_t len)
{
	(void)m;
	if (va >= UNMAPPED || va + len > UNMAPPED)
		return false;
	memcpy(memory + va, src, len);
	return true;
}

/* The linker calls these instead (tests.mk). */
enum bus_result __real_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val);
enum bus_result __wrap_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val);
enum bus_result __wrap_bus_read(const struct bus_space *s, uint64_t at,
				unsigned int size, uint32_t *val)
{
	if (s == &guest.bus.memory)
		return __real_bus_read(s, at, size, val);
	called("in", at, size);
	*val = port_value;
	return BUS_DONE;
}

enum bus_result __real_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val);
enum bus_result __wrap_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val);
enum bus_result __wrap_bus_write(const struct bus_space *s, uint64_t at,
				 unsigned int size, uint32_t val)
{
	if (s == &guest.bus.memory)
		return __real_bus_write(s, at, size, val);
	called("out", at, val);
	return port_busy ? BUS_AGAIN : BUS_DONE;
}

bool mm_is_elsewhere(const struct mm *m, uint64_t gfn)
{
	(void)m;
	return gfn == MMIO >> 12;
}

void cr0_write(struct vcpu *vcpu, uint32_t val)
{
	vcpu->cr0 = val;
	called("cr0", val, 0);
}

void cr3_write(struct vcpu *vcpu, uint64_t val)
{
	(void)vcpu;
	called("cr3", val, 0);
}

void cr4_write(struct vcpu *vcpu, uint32_t val)
{
	(void)vcpu;
	called("cr4", val, 0);
}

void dr_write(struct vcpu *vcpu, uint32_t nr, uint64_t val)
{
	(void)vcpu;
	called("dr", nr, val);
}

void desc_load_gdt(struct vcpu *vcpu, gva_t base, uint32_t limit)
{
	(void)vcpu;
	called("gdt", base, limit);
}

void desc_load_idt(struct vcpu *vcpu, gva_t base, uint32_t limit)
{
	(void)vcpu;
	called("idt", base, limit);
}

bool desc_load_ldt(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	called("ldt", sel, 0);
	return sel != 0x66;
}

bool desc_load_tr(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	called("tr", sel, 0);
	return sel != 0x66;
}

bool desc_refresh(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu, (void)sel;
	return false;
}

uint64_t desc_lookup(struct vcpu *vcpu, uint16_t sel)
{
	(void)vcpu;
	return sel & 4 ? 0 : emul_gdt[sel >> 3];
}

uint32_t desc_limit(uint64_t d)
{
	return (d & 0xffff) | (d >> 32 & 0xf0000);
}

uint32_t desc_base(uint64_t d)
{
	return (d >> 16 & 0xffffff) | (uint32_t)(d >> 56) << 24;
}

void event_page_fault(struct vcpu *vcpu, gva32_t va, uint32_t error)
{
	(void)vcpu;
	called("#PF", va, error);
}

unsigned int polls;

void event_poll(struct vcpu *vcpu)
{
	(void)vcpu;
	polls++;
}

void event_iret(struct vcpu *vcpu, gva32_t frame, bool from_rom)
{
	(void)vcpu;
	called("iret", frame, from_rom);
}

void event_soft_int(struct vcpu *vcpu, int vector, uint32_t length)
{
	(void)vcpu;
	called("int", vector, length);
}

void event_exception(struct vcpu *vcpu, int vector)
{
	(void)vcpu;
	called("exception", vector, 0);
}

void event_exception_error(struct vcpu *vcpu, int vector, uint32_t error)
{
	(void)vcpu;
	called("exception", vector, error);
}

bool event_sysenter(struct vcpu *vcpu)
{
	called("sysenter", 0, 0);
	if (!vcpu->sysenter_cs)
		return false;
	vcpu->regs->rip = vcpu->sysenter_eip;
	return true;
}

bool event_sysexit(struct vcpu *vcpu)
{
	called("sysexit", 0, 0);
	if (!vcpu->sysenter_cs)
		return false;
	vcpu->regs->rip = vcpu->regs->gpr[EDX];
	return true;
}

void vcpu_halt(struct vcpu *vcpu)
{
	(void)vcpu;
	called("halt", 0, 0);
}

void queue_drain(struct vcpu *vcpu)
{
	(void)vcpu;
}

void mmu_inval(struct mmu *m, gva32_t va)
{
	(void)m;
	called("inval", va, 0);
}

/* Ring 3 may touch nothing below DATA. */
enum fault mmu_fault(struct mmu *m, gva32_t va, uint32_t *error, gpa_t *bus)
{
	(void)m, (void)bus;
	if (va < UNMAPPED && (!(*error & PF_U) || va >= DATA))
		return FAULT_FIXED;
	*error |= va < UNMAPPED ? PF_P : 0;
	return FAULT_GUEST;
}

bool vmcall_refused;

static bool vmcall(struct vcpu *vcpu, uint32_t length, bool code64)
{
	called("vmcall", length, code64);
	if (vmcall_refused)
		return false;
	vcpu->regs->rip += length;
	return true;
}

static void cpuid_of(struct vcpu *vcpu, uint32_t leaf, uint32_t sub,
		     uint32_t r[4])
{
	(void)vcpu;
	called("cpuid", leaf, sub);
	r[0] = 1;
	r[1] = 2;
	r[2] = 3;
	r[3] = 4;
}

uint64_t fs_base, gs_base;

uint64_t rdmsr(uint32_t msr)
{
	return msr == MSR_FS_BASE ? fs_base : gs_base;
}

void wrmsr(uint32_t msr, uint64_t val)
{
	*(msr == MSR_FS_BASE ? &fs_base : &gs_base) = val;
}

void wide_syscall_changed(struct vcpu *vcpu)
{
	(void)vcpu;
	called("syscall", 0, 0);
}

void wide_fault_changed(struct vcpu *vcpu)
{
	(void)vcpu;
}

bool xcr0_write(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	called("xcr0", value, 0);
	return value & 1;
}

bool watch_open(struct vcpu *vcpu, gva_t va, uint32_t error)
{
	(void)vcpu, (void)va, (void)error;
	return false;
}

void efer_apply(const struct vcpu *vcpu)
{
	(void)vcpu;
	called("efer", vcpu->efer, 0);
}

void fmask_apply(const struct vcpu *vcpu)
{
	called("fmask", vcpu->fmask, 0);
}

void wide_page_fault(struct vcpu *vcpu, gva_t va, uint32_t error)
{
	(void)vcpu;
	called("#PF", va, error);
}

bool wide_iret(struct vcpu *vcpu, gva_t frame)
{
	(void)vcpu;
	called("iret", frame, 0);
	return true;
}

enum fault long_fault(struct mmu *m, gva_t va, uint32_t *error, gpa_t *bus)
{
	return va < UNMAPPED ? mmu_fault(m, va, error, bus) : FAULT_GUEST;
}

void long_inval(struct mmu *m, gva_t va)
{
	(void)m;
	called("inval", va, 0);
}

void long_flush(struct mmu *m)
{
	(void)m;
	called("flush", 0, 0);
}

void long_set_mode(struct mmu *m, uint32_t efer)
{
	(void)m, (void)efer;
}

uint32_t cr4_allowed(const struct vcpu *vcpu)
{
	(void)vcpu;
	return CR4_PAE | CR4_PGE | CR4_OSFXSR;
}

void paging_changed(struct vcpu *vcpu)
{
	(void)vcpu;
}

void mmu_flush_now(struct mmu *m) { (void)m; }

void mmu_flush(struct mmu *m)
{
	(void)m;
	called("flush", 0, 0);
}

/* ---- running one instruction -------------------------------------------------- */

int emul_setup(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	memset(memory, 0x90, sizeof(memory));
	memset(&shared, 0, sizeof(shared));
	memset(&last, 0, sizeof(last));
	current = v;
	v->g = &guest;
	v->sibling = v->first = v;
	v->mmu.mm = &guest.mm;
	v->bus = &guest.bus;
	v->apic = &guest.apic[0];
	v->pic = &guest.pic;
	v->rom = &guest.rom;
	v->regs = &regs;
	v->cpuid = cpuid_of;
	v->vmcall = vmcall;
	vmcall_refused = false;
	v->sh = &shared;
	guest.mm.reserved = 0xfc000000;
	v->mmu.guest_last = guest.mm.reserved - 1;
	v->cr0 = 0x80050033;
	v->mmu.cr3 = 0x5000;
	v->cr4 = 0x10;
	v->gdt_base = 0x11223344;
	v->gdt_limit = 0xff;
	v->idt_base = 0x55667788;
	v->idt_limit = 0x7ff;
	v->tr = 0x80;
	memset(emul_gdt, 0, sizeof(emul_gdt));
	emul_gdt[12] = 0x00cfbb000000ffff;
	emul_gdt[13] = 0x00cfb3000000ffff;
	emul_gdt[14] = 0x00cffb000000ffff;
	emul_gdt[15] = 0x00cff3000000ffff;
	cpu.ds = cpu.es = 0x7b;
	cpu.tsc = 0x123456789ab;
	regs = (struct regs){
		.gpr = { 0x11111111, 0x22222222, 0x33333333, 0x44444444, 0,
			 0x55555555, 0x66666666, 0x77777777 },
		.rip = CODE, .cs = 0x61, .rflags = 0x202, .rsp = DATA + 0x800,
		.ss = 0x69,
	};
	return 0;
}

bool emul_run(const char *bytes, size_t len)
{
	memcpy(memory + (uint32_t)regs.rip, bytes, len);
	return emulate(v);
}
