// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every number that NASM needs, taken from the C headers: compiled to
 * assembly (never run), from which spec.mk keeps the lines that begin with
 * ".ascii \"->". Nothing in rom/ types an offset by hand.
 */
#include "vmi.h"
#include "vmi64.h"
#include "vmi_rom.h"
#include "vmi_stub.h"
#include "vmi_stub64.h"
#include "vmi_stub_cpuid.h"

#define DEFINE(name, value) \
	__asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(value))
#define CONSTANT(name) \
	__asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(name))
#define FIELD(type, field) \
	DEFINE(type##_##field, offsetof(struct type, field))
#define SIZE(type)		DEFINE(type##_size, sizeof(struct type))

void offsets(void);
void offsets64(void);

void offsets(void)
{
	CONSTANT(VMI_API_MAJOR);
	CONSTANT(VMI_API_MINOR);
	CONSTANT(VMI_ROM_MAGIC);
	CONSTANT(VMI_SIGNATURE);
	CONSTANT(VMI_ENTRY_INIT);
	CONSTANT(VMI_ENTRY_RELOC);
	CONSTANT(VMI_PCI_SIGNATURE);
	CONSTANT(VMI_PCI_VENDOR);
	CONSTANT(VMI_PCI_DEVICE);
	CONSTANT(VMI_PNP_SIGNATURE);
	SIZE(vmi_rom_header);
	FIELD(vmi_rom_header, bios_init);
	FIELD(vmi_rom_header, checksum);
	FIELD(vmi_rom_header, signature);
	FIELD(vmi_rom_header, virtual_top);
	FIELD(vmi_rom_header, license);
	FIELD(vmi_rom_header, pci);
	FIELD(vmi_rom_header, pnp);
	FIELD(vmi_rom_header, reserved3);
	SIZE(vmi_pci_data);
	FIELD(vmi_pci_data, rom_minor);
	SIZE(vmi_pnp_header);
	FIELD(vmi_pnp_header, checksum);
	FIELD(vmi_pnp_header, manufacturer);

	CONSTANT(VMI_RELOC_NONE);
	CONSTANT(VMI_RELOC_CALL);
	CONSTANT(VMI_RELOC_JUMP);
	CONSTANT(VMI_RELOC_NOP);
	CONSTANT(VMI_CALL_COUNT);
#define CALL(nr, name)	DEFINE(VMI_CALL_##name, nr);
	VMI_CALLS(CALL)
	CONSTANT(VMI_SYSEXIT_CS);
	CONSTANT(VMI_SYSEXIT_SS);
	CONSTANT(VMI_LAZY_NONE);
	CONSTANT(VMI_LAZY_MMU);
	CONSTANT(VMI_LAZY_CPU);
	CONSTANT(VMI_FLUSH_GLOBAL);

	CONSTANT(VMI_ROM_INFO_OFFSET);
	CONSTANT(VMI_ROM_INFO_MAGIC);

	CONSTANT(STUB_LAYOUT);
	CONSTANT(STUB_SHARED_OFFSET);
	CONSTANT(STUB_VECTOR);
#define HCALL(nr, name, call)	DEFINE(STUB_HC_##name, nr);
	STUB_HCALLS(HCALL)
	CONSTANT(STUB_IF);
	CONSTANT(STUB_PENDING);
	CONSTANT(STUB_DEFER_CR3);
	CONSTANT(STUB_DEFER_FLUSH);
	CONSTANT(STUB_DEFER_INVAL);
	CONSTANT(STUB_QUEUE_LEN);
	CONSTANT(STUB_QUEUE_GUARD);
	CONSTANT(STUB_Q_UPDATE_PA);
	CONSTANT(STUB_Q_PAGE);
	CONSTANT(STUB_Q_INVAL);
	CONSTANT(STUB_QP_ALLOC);
	CONSTANT(STUB_QP_RELEASE);
	SIZE(stub_shared);
	FIELD(stub_shared, flags);
	FIELD(stub_shared, cr0);
	FIELD(stub_shared, cr2);
	FIELD(stub_shared, cr3);
	FIELD(stub_shared, cr4);
	FIELD(stub_shared, esp0);
	FIELD(stub_shared, ss0);
	FIELD(stub_shared, lazy_mode);
	FIELD(stub_shared, deferred);
	FIELD(stub_shared, gdt_dirty);
	FIELD(stub_shared, tail);
	FIELD(stub_shared, linear);
	SIZE(stub_linear);
	FIELD(stub_linear, va);
	FIELD(stub_linear, bytes);
	FIELD(stub_shared, ldt);
	FIELD(stub_shared, tr);
	FIELD(stub_shared, tsc_base);
	FIELD(stub_shared, tsc_hz);
	FIELD(stub_shared, trace_used);
	FIELD(stub_shared, trace);
	FIELD(stub_shared, queue_guard);
	FIELD(stub_shared, queue);

	CONSTANT(STUB_CPUID_BASE);
	CONSTANT(STUB_CPUID_COUNTERS);
	CONSTANT(STUB_CPUID_NAMES);

	CONSTANT(STUB_INFO_MAGIC);
	CONSTANT(STUB_INFO_OFFSET);
	CONSTANT(STUB_WINDOWS);
	SIZE(stub_window);
	SIZE(stub_rom_info);
}

/* What 64-bit guests have otherwise. */
void offsets64(void)
{
	CONSTANT(VMI64_API_MAJOR);
	CONSTANT(VMI64_API_MINOR);
	CONSTANT(VMI64_SIGNATURE);
	CONSTANT(VMI64_CALL_COUNT);
#define CALL64(nr, name)	DEFINE(VMI64_CALL_##name, nr);
	VMI64_CALLS(CALL64)

	CONSTANT(STUB64_LAYOUT);
#define HCALL64(nr, name, call)	DEFINE(STUB64_HC_##name, nr);
	STUB64_HCALLS(HCALL64)
	CONSTANT(STUB64_Q_ALLOC);
	CONSTANT(STUB64_Q_RELEASE);
	CONSTANT(STUB64_Q_INVAL);
	SIZE(stub64_shared);
	FIELD(stub64_shared, flags);
	FIELD(stub64_shared, cr0);
	FIELD(stub64_shared, cr2);
	FIELD(stub64_shared, cr3);
	FIELD(stub64_shared, cr4);
	FIELD(stub64_shared, rsp0);
	FIELD(stub64_shared, other_gs);
	FIELD(stub64_shared, scratch);
	FIELD(stub64_shared, lstar);
	FIELD(stub64_shared, cstar);
	FIELD(stub64_shared, direct_va);
	FIELD(stub64_shared, direct_bytes);
	FIELD(stub64_shared, lazy_mode);
	FIELD(stub64_shared, deferred);
	FIELD(stub64_shared, gdt_dirty);
	FIELD(stub64_shared, ldt);
	FIELD(stub64_shared, tr);
	FIELD(stub64_shared, tail);
	FIELD(stub64_shared, tsc_base);
	FIELD(stub64_shared, tsc_hz);
	FIELD(stub64_shared, trace_used);
	FIELD(stub64_shared, trace);
	FIELD(stub64_shared, queue_guard);
	FIELD(stub64_shared, queue);

	CONSTANT(STUB64_INFO_MAGIC);
	CONSTANT(STUB64_INFO_OFFSET);
	FIELD(stub64_rom_info, table);
}
