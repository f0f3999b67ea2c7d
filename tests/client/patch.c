// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the old client finds a ROM, enters it, and makes its calls the ROM's:
 * by the table of operations for all, by patching for six.
 */
#include "client.h"

#define MARK_IRET	0x0badbab0u	/* what the table holds for them then */
#define MARK_SYSEXIT	0xfeedbab0u

struct site {
	uint8_t		*at;
	uint32_t	call;
	uint32_t	length;
};

extern const struct site sites[], sites_end[];

uint8_t *rom;
uint32_t op_iret, op_sysexit;
uint8_t kernel_rpl;
static uint32_t queried;

/* ---- the scan --------------------------------------------------------------- */

static bool licensed(const char *s)
{
	const char *p = "GPL v2";

	if (s[0] == 'G' && s[1] == 'P' && s[2] == 'L' && !s[3])
		return true;
	while (*p && *p == *s) {
		p++;
		s++;
	}
	return !*p && !*s;
}

/* Neither checksum nor length are looked at; the PCI data must be there. */
bool client_find_rom(void)
{
	for (uint32_t at = VMI_SCAN_START; at < VMI_SCAN_END;
	     at += VMI_SCAN_STEP) {
		const struct vmi_rom_header *h = va_of(at);

		if (h->magic == VMI_ROM_MAGIC &&
		    h->signature == VMI_SIGNATURE &&
		    h->api_major == VMI_API_MAJOR && h->license &&
		    licensed((const char *)h + h->license) && h->pci) {
			rom = va_of(at);
			return true;
		}
	}
	return false;
}

/* ---- get-relocation ------------------------------------------------------------ */

static uint32_t relocation(uint32_t call, uint8_t *type)
{
	uint32_t edx;

	queried++;
	__asm__ volatile("call *%2"
			 : "+a"(call), "=d"(edx) : "r"(rom + VMI_ENTRY_RELOC)
			 : "ecx", "memory", "cc");
	*type = (uint8_t)edx;		/* the rest says nothing */
	return call;
}

uint32_t ops_queried(void)
{
	return queried;
}

static void query(uint32_t call)
{
	uint8_t type;
	const uint32_t entry = relocation(call, &type);

	vmi_type[call] = type;
	if (type == VMI_RELOC_CALL)
		vmi_entry[call] = entry;
	native_fill();			/* none and nop, for all others */
}

/* The order of the queries; two come again, IRET and SYSEXIT with the sites. */
static void query_all(void)
{
	static const uint8_t first[] = {
		VMI_CALL_CPUID, VMI_CALL_CLTS, VMI_CALL_GetDR, VMI_CALL_SetDR,
		VMI_CALL_GetCR0, VMI_CALL_GetCR2, VMI_CALL_GetCR3,
		VMI_CALL_GetCR4, VMI_CALL_SetCR0, VMI_CALL_SetCR2,
		VMI_CALL_SetCR3, VMI_CALL_SetCR4, VMI_CALL_GetInterruptMask,
		VMI_CALL_SetInterruptMask, VMI_CALL_DisableInterrupts,
		VMI_CALL_EnableInterrupts, VMI_CALL_WBINVD, VMI_CALL_RDTSC,
		VMI_CALL_SetTR, VMI_CALL_SetLDT, VMI_CALL_SetGDT,
		VMI_CALL_SetIDT, VMI_CALL_GetGDT, VMI_CALL_GetIDT,
		VMI_CALL_GetTR, VMI_CALL_WriteLDTEntry,
		VMI_CALL_WriteGDTEntry, VMI_CALL_WriteIDTEntry,
		VMI_CALL_UpdateKernelStack, VMI_CALL_SetIOPLMask,
		VMI_CALL_IODelay, VMI_CALL_SetLazyMode, VMI_CALL_SetLazyMode,
		VMI_CALL_SetLazyMode, VMI_CALL_SetLazyMode, VMI_CALL_FlushTLB,
		VMI_CALL_FlushTLB, VMI_CALL_InvalPage,
	}, then[] = {
		VMI_CALL_AllocatePage, VMI_CALL_ReleasePage,
		VMI_CALL_SetLinearMapping, VMI_CALL_APICRead,
		VMI_CALL_APICWrite, VMI_CALL_GetCycleFrequency,
	}, timer[] = {
		VMI_CALL_GetCycleCounter, VMI_CALL_GetWallclockTime,
		VMI_CALL_WallclockUpdated, VMI_CALL_SetAlarm,
		VMI_CALL_CancelAlarm,
	};

	for (unsigned int i = 0; i < sizeof(first); i++)
		query(first[i]);
	query(pae ? VMI_CALL_SetPxELong : VMI_CALL_SetPxE);
	query(pae ? VMI_CALL_UpdatePxELong : VMI_CALL_UpdatePxE);
	for (unsigned int i = 0; i < sizeof(then); i++)
		query(then[i]);
	if (vmi_type[VMI_CALL_GetCycleFrequency] != VMI_RELOC_NONE)
		for (unsigned int i = 0; i < sizeof(timer); i++)
			query(timer[i]);
	query(VMI_CALL_Halt);
}

/* ---- patching --------------------------------------------------------------------- */

static void patch(const struct site *s)
{
	uint32_t eax = 0, ebx, ecx = 0, edx, to;
	uint8_t type, *const at = s->at;

	to = relocation(s->call, &type) - ((uintptr_t)at + 5);
	if (type == VMI_RELOC_NONE)
		return;			/* through the table, as it is */
	for (uint32_t i = 0; i < s->length; i++)
		at[i] = 0x90;
	if (type != VMI_RELOC_NOP) {
		at[0] = type == VMI_RELOC_CALL ? 0xe8 : 0xe9;
		__builtin_memcpy(at + 1, &to, 4);
	}
	/* what serializes is the instruction, in VMI mode too */
	__asm__ volatile("cpuid"
			 : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx)
			 : : "memory");
}

/* The operations are used while they are being replaced. */
void patch_sites(void)
{
	for (const struct site *s = sites; s < sites_end; s++) {
		const uint32_t flags = save_flags();

		irq_disable();
		patch(s);
		restore_flags(flags);
	}
}

/* ---- the first calls ----------------------------------------------------------------- */

bool client_activate(void)
{
	uint32_t status, flags, cs;

	__asm__ volatile("pushfl\n\tpopl %0\n\tcli" : "=r"(flags));
	__asm__ volatile("call *%1"
			 : "=a"(status) : "r"(rom + VMI_ENTRY_INIT)
			 : "ecx", "edx", "memory", "cc");
	if (status)
		return false;
	__asm__("mov %%cs, %0" : "=r"(cs));
	kernel_rpl = KERNEL_RPL(cs);
	query_all();
	op_iret = MARK_IRET;
	op_sysexit = MARK_SYSEXIT;
	patch_sites();
	/* more than there is memory */
	if (has(VMI_CALL_SetLinearMapping))
		vmi4(VMI_CALL_SetLinearMapping, 0, BASE, 0x33fa2, 0);
	restore_flags(flags & EFLAGS_IF);
	return true;
}
