// SPDX-License-Identifier: GPL-2.0-only
/* The image, Init, get-relocation, and what belongs to the hypervisor: VMI64-1,
 * VMI64-2. */
#include "conf64.h"

#define CR4_PAE		0x20ull
#define CR4_LA57	0x1000ull
#define EFER_LMA	0x400ull
#define VENDOR		0x15ad
#define DEVICE		0x0801

static const struct vmi_rom_header *header(void)
{
	return (const void *)rom;
}

static uint64_t top_of(void)
{
	return vmi64_virtual_top(header()->virtual_top);
}

static bool same_text(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* ---- before Init ---------------------------------------------------------------- */

static uint8_t sum(const uint8_t *at, uint32_t bytes)
{
	uint8_t total = 0;

	while (bytes--)
		total += *at++;
	return total;
}

static void image(void)
{
	const struct vmi_rom_header *h = header();
	const struct vmi_pci_data *pci = (const void *)(rom + h->pci);
	const char *license = (const char *)rom + h->license;
	const struct vmi_pnp_header *pnp = (const void *)(rom + h->pnp);

	is("VMI64-2.1.1", pa(rom + TEXT_BASE - DIRECT) % VMI_SCAN_STEP, 0,
	   "a ROM is at a multiple of 2 KB");
	is("VMI64-2.1.1", sum(rom, h->length * VMI_ROM_UNIT), 0,
	   "its bytes sum to 0");
	is("VMI64-2.1.2", h->signature, VMI64_SIGNATURE, "its signature is cV64");
	point("VMI64-2.1.2", h->signature != VMI_SIGNATURE,
	      "which is none for a 32-bit guest");
	is("VMI64-2.2", h->magic, VMI_ROM_MAGIC, "it is an option ROM");
	is("VMI64-2.2", h->api_major, 1, "the major version is 1");
	is("VMI64-2.2", h->api_minor, 0, "the minor version is 0");
	is("VMI64-2.2", h->slots, 2, "two fixed entries");
	point("VMI64-2.2", same_text(license, "GPL v2") ||
	      same_text(license, "GPL"), "its licence is GPL");
	point("VMI64-2.2", h->pci && pci->signature == VMI_PCI_SIGNATURE,
	      "there is a PCI structure");
	point("VMI64-2.2", pci->vendor == VENDOR && pci->device == DEVICE,
	      "with the vendor and device that Linux knows");
	point("VMI64-2.2", !h->pnp || (pnp->signature == VMI_PNP_SIGNATURE &&
	      !sum((const uint8_t *)pnp, sizeof(*pnp))),
	      "a PnP header sums to 0");
	point("VMI64-2.3.1", !h->virtual_top ||
	      (h->virtual_top % VMI64_TOP_ALIGN == 0 && h->virtual_top >> 31),
	      "virtual_top is 0, or a multiple of 2 MB in the last 2 GB");
}

static uint64_t types_before;		/* so far: a sum of them all */

static uint64_t types(void)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < VMI64_CALL_COUNT; i++)
		total = total * 5 + vmi_relocation(i).type;
	return total;
}

void before_init(void)
{
	uint64_t cr4, value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	is("VMI64-1.2", cr4 & (CR4_PAE | CR4_LA57), CR4_PAE,
	   "paging has four levels");
	is("VMI64-1.2", rdmsr64(MSR_EFER) & EFER_LMA, EFER_LMA,
	   "the guest is in 64-bit mode");
	image();
	types_before = types();
	is("VMI64-2.5.1", vmi_relocation(VMI64_CALL_COUNT).type, VMI_RELOC_NONE,
	   "get-relocation answers before Init");
	set_entry(&play_pt[FIRST], frame_pa(3) | PTE_P | PTE_W);
	flush();
	is("VMI64-1.1", word_at(play_va(FIRST)), FRAME_MARK + 3,
	   "before Init page tables are the guest's");
	is("VMI64-1.1", probe_read(play_va(FIRST + 1)), VEC_PF,
	   "and its page faults");
	is("VMI64-1.1", last_cr2, play_va(FIRST + 1), "with CR2");
	is("VMI64-1.1", raised("\x0f\x0b"), VEC_UD, "and its IDT");
	USER(INT80);
	is("VMI64-1.1", last.vector, VEC_SYSCALL, "and user mode");
	__asm__ volatile("mov %0, %%cr2" : : "r"(0xffff881234567890));
	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	is("VMI64-1.1", value, 0xffff881234567890, "and CR2 has 64 bits");
}

/* ---- Init ------------------------------------------------------------------------- */

static const struct {
	uint32_t	msr;
	uint64_t	value;
	const char	*name;
} msrs[] = {
	{ MSR_STAR, (uint64_t)USER32_CS << 48 | (uint64_t)KERNEL_CS << 32,
	  "STAR is taken over" },
	{ MSR_LSTAR, 0xffffffff81234567, "so is LSTAR" },
	{ MSR_CSTAR, 0xffffffff81234568, "so is CSTAR" },
	{ MSR_FMASK, 0x47700, "so is FMASK" },
	{ MSR_FS_BASE, 0x123456789000, "so is FS_BASE" },
	{ MSR_GS_BASE, 0xffff888000001000, "so is GS_BASE" },
	{ MSR_KERNEL_GS_BASE, 0x7ffffffff000, "so is KERNEL_GS_BASE" },
};
#define MSRS	(sizeof(msrs) / sizeof(*msrs))

static uint16_t read_ds(void)
{
	uint16_t ds;

	__asm__ volatile("mov %%ds, %0" : "=r"(ds));
	return ds;
}

void init(void)
{
	static uint8_t stack[1024] __attribute__((aligned(16)));
	struct poison p = {
		.flags = EFLAGS_FIXED, .rsp = (uint64_t)(stack + sizeof(stack)),
		.entry = (uint64_t)(rom + VMI_ENTRY_INIT),
		.r = { .rbx = 0xb1, .rbp = 0xb2, .r12 = 0xb3, .r13 = 0xb4,
		       .r14 = 0xb5, .r15 = 0xb6, .rax = 0xa1, .rdi = 0xa2 },
	};
	const uint16_t ds = read_ds();
	struct vmi64_table_pointer g, i;
	uint32_t n;

	for (n = 0; n < MSRS; n++)
		wrmsr64(msrs[n].msr, msrs[n].value);
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) | EFER_SCE);
	poisoned_call(&p);
	is("VMI64-2.4.1", (uint32_t)p.r.rax, 0, "Init answers 0 in EAX");
	point("VMI64-2.4.1", p.r.rbx == 0xb1 && p.r.rbp == 0xb2 &&
	      p.r.r12 == 0xb3 && p.r.r13 == 0xb4 && p.r.r14 == 0xb5 &&
	      p.r.r15 == 0xb6, "it preserves RBX, RBP, R12 to R15");
	is("VMI64-2.4.1", p.rsp_after, p.rsp, "and RSP");
	is("VMI64-2.4.1", p.flags & EFLAGS_DF, 0, "DF is 0");
	is("VMI64-2.4.1", read_ds(), ds, "the segments are the same");
	is("VMI64-2.4.1", rdmsr64(MSR_FS_BASE), 0x123456789000,
	   "so is the FS base");
	is("VMI64-2.4.1", rdmsr64(MSR_GS_BASE), 0xffff888000001000,
	   "so is the GS base");
	for (n = 0; n < MSRS; n++)
		is("VMI64-2.4.2", rdmsr64(msrs[n].msr), msrs[n].value,
		   msrs[n].name);
	is("VMI64-2.4.2", rdmsr64(MSR_EFER) & EFER_SCE, EFER_SCE, "so is EFER");
	for (n = 0; n < MSRS; n++)
		wrmsr64(msrs[n].msr, 0);
	wrmsr64(MSR_EFER, rdmsr64(MSR_EFER) & ~EFER_SCE);

	vmi_begin();
	vmi1(GetGDT, &g);
	vmi1(GetIDT, &i);
	is_of(GetGDT, "VMI-2.4.3", g.base, (uint64_t)gdt, "so is the GDT");
	is_of(GetIDT, "VMI-2.4.3", i.base, (uint64_t)idt, "so is the IDT");
	is_of(GetTR, "VMI-2.4.3", (uint32_t)vmi0(GetTR), TSS_SELECTOR, "so is TR");
	is_of(GetCR3, "VMI-2.4.3", vmi0(GetCR3), pa(boot_pml4), "so is CR3");
	is("VMI-2.4.3", raised("\x0f\x0b"), VEC_UD, "gates lead where they led");
	point("VMI64-1.1", kernel_ring() < 3, "the kernel is at ring 0, 1 or 2");
	is("VMI64-1.1", (rdmsr64(MSR_EFER) & EFER_LMA), EFER_LMA,
	   "in 64-bit mode");
}

/* ---- get-relocation --------------------------------------------------------------- */

static bool is_entry(uint32_t call)
{
	return vmi_type[call] == VMI_RELOC_CALL ||
	       vmi_type[call] == VMI_RELOC_JUMP;
}

static void together(uint32_t a, uint32_t b, const char *name)
{
	point("VMI64-2.5.3", offered((int)a) == offered((int)b), name);
}

static void unassigned(uint32_t from, uint32_t to, const char *name)
{
	bool none = true;

	for (uint64_t i = from; i <= to; i++)
		none &= vmi_relocation((uint32_t)i).type == VMI_RELOC_NONE;
	point("VMI64-2.5.1", none, name);
}

static void answers(void)
{
	struct poison p = {
		.flags = EFLAGS_FIXED,
		.entry = (uint64_t)(rom + VMI_ENTRY_RELOC),
		.r = { .rbx = 1, .rbp = 2, .r12 = 3, .r13 = 4, .r14 = 5, .r15 = 6,
		       .rdi = 0xfeedface00000000 | VMI64_CALL_SetCR3 },
	};
	static uint8_t stack[512] __attribute__((aligned(16)));
	bool known = true, jumps = true, high = true, reach = true;

	p.rsp = (uint64_t)(stack + sizeof(stack));
	poisoned_call(&p);
	point("VMI64-2.5.1", p.r.rdx == vmi_type[VMI64_CALL_SetCR3] &&
	      (!offered(VMI64_CALL_SetCR3) ||
	       p.r.rax == vmi_entry[VMI64_CALL_SetCR3]),
	      "of EDI 32 bits count");
	point("VMI64-2.5.1", p.r.rbx == 1 && p.r.rbp == 2 && p.r.r12 == 3 &&
	      p.r.r13 == 4 && p.r.r14 == 5 && p.r.r15 == 6 &&
	      p.rsp == p.rsp_after, "it preserves what a C function does");
	is("VMI64-2.5.1", types(), types_before, "it answers as before Init");
	for (uint32_t i = 0; i < VMI64_CALL_COUNT; i++) {
		int64_t far = (int64_t)(vmi_entry[i] - (uint64_t)vmi_find);

		known &= vmi_type[i] <= VMI_RELOC_NOP;
		jumps &= vmi_type[i] != VMI_RELOC_JUMP ||
			 i == VMI64_CALL_IRET || i == VMI64_CALL_SwapGSIRET;
		if (!is_entry(i) || !top_of())
			continue;
		high &= vmi_entry[i] >= top_of();
		reach &= far == (int32_t)far;
	}
	point("VMI64-2.5.1", known, "types are 0 to 3");
	point("VMI64-2.5.2", jumps, "IRET and SwapGSIRET alone may be jumps");
	point("VMI64-2.5.2", !kernel_ring() ||
	      (offered(VMI64_CALL_IRET) && offered(VMI64_CALL_SwapGSIRET)),
	      "below ring 0 they are not none");
	point("VMI64-2.5.1", high, "addresses are above virtual_top");
	point("VMI64-2.3.1", reach, "a direct call of the kernel reaches them");
}

void relocation(void)
{
	answers();
	unassigned(34, 34, "34 is none");
	unassigned(38, 38, "38 is none");
	unassigned(40, 40, "40 is none");
	unassigned(49, 60, "49 to 60 are none");
	unassigned(72, 72, "72 is none");
	unassigned(VMI64_CALL_COUNT, 300, "those beyond the last are none");
	unassigned(0x80000000, 0x80000001, "so is 80000000h");
	unassigned(0xffffffff, 0xffffffff, "so is FFFFFFFFh");
	is("VMI64-3.6.4", vmi_relocation(34).type, VMI_RELOC_NONE,
	   "SYSEXIT is no call");
	together(VMI64_CALL_EnableInterrupts, VMI64_CALL_DisableInterrupts,
		 "Enable and DisableInterrupts come together");
	together(VMI64_CALL_GetInterruptMask, VMI64_CALL_SetInterruptMask,
		 "Get and SetInterruptMask");
	together(VMI64_CALL_IRET, VMI64_CALL_SwapGSIRET, "IRET and SwapGSIRET");
	together(VMI64_CALL_IRET, VMI64_CALL_SwapGS, "IRET and SwapGS");
	together(VMI64_CALL_GetFSBase, VMI64_CALL_SetFSBase,
		 "Get and SetFSBase");
	together(VMI64_CALL_GetGSBase, VMI64_CALL_SetGSBase,
		 "Get and SetGSBase");
	together(VMI64_CALL_GetKernelGSBase, VMI64_CALL_SetKernelGSBase,
		 "Get and SetKernelGSBase");
	point("VMI64-2.5.3", !kernel_ring() || !offered(VMI64_CALL_SwapGS) ||
	      (offered(VMI64_CALL_SetSyscallEntry) &&
	       offered(VMI64_CALL_SetIRETSite)),
	      "below ring 0 SetSyscallEntry and SetIRETSite come with SwapGS");
	point("VMI64-2.5.3", !offered(VMI64_CALL_GetCycleFrequency) ||
	      (offered(VMI64_CALL_GetCycleCounter) &&
	       offered(VMI64_CALL_SetAlarm) && offered(VMI64_CALL_CancelAlarm) &&
	       offered(VMI64_CALL_GetWallclockTime)),
	      "the calls of time come together");
}

/* ---- what is the hypervisor's --------------------------------------------------------- */

/* mov rax, [address]; int 80h */
static void user_reads(uint64_t va)
{
	char code[12] = { 0x48, (char)0xa1 };

	for (uint32_t i = 0; i < 8; i++)
		code[2 + i] = (char)(va >> i * 8);
	code[10] = (char)0xcd;
	code[11] = (char)0x80;
	user_load(code, sizeof(code));
	user_run(&(struct user){ .rip = USER_CODE, .cs = USER_CS,
		 .rflags = EFLAGS_FIXED | EFLAGS_IF, .rsp = USER_STACK,
		 .ss = USER_DS });
}

static void user_refused(uint64_t va, const char *name)
{
	user_reads(va);
	point("VMI64-2.3.3", last.vector == VEC_PF && last_cr2 == va &&
	      (last.error & 4), name);
}

/* An entry of the PML4 that is the hypervisor's, with tables of the guest's. */
static void hole_entry(uint32_t n, const char *name)
{
	const uint64_t old = boot_pml4[n];
	const uint64_t at = (uint64_t)((int64_t)((uint64_t)n << 55) >> 16);

	set_entry(&boot_pml4[n], pa(boot_pdpt) | PTE_P | PTE_W);
	flush();
	point("VMI64-2.3.2", probe_read(at + LARGE * 3) == VEC_PF ||
	      word_at(at + LARGE * 3) == word_at(DIRECT + LARGE * 3), name);
	is("VMI64-2.3.2", boot_pml4[n] & ~0xfffull, pa(boot_pdpt),
	   "and reads back");
	set_entry(&boot_pml4[n], old);
	flush();
}

void top(void)
{
	const struct vmi_rom_header *h = (const void *)top_of();

	if (!top_of()) {
		skip("VMI64-2.3.2", "what is the hypervisor's", "nothing is");
		skip("VMI64-2.3.3", "what is the hypervisor's", "nothing is");
		/* it goes on where it was called */
		point("VMI64-2.3.3", header()->signature == VMI64_SIGNATURE &&
		      vmi_relocation(0).type == vmi_type[0],
		      "the image stays where it was");
		return;
	}
	*(volatile uint32_t *)direct(LARGE * 3) = 0x5eed5eed;
	is("VMI64-2.3.3", probe_write(top_of()), VEC_PF,
	   "the kernel does not write to the ROM");
	is("VMI64-2.3.3", h->signature, VMI64_SIGNATURE, "which is there");
	is("VMI64-2.3.3", probe_read(0xffffffffffff0000), VEC_PF,
	   "where nothing is, there is a page fault");
	is("VMI64-2.3.3", last.error & 1, 0, "of a page that is not present");
	is("VMI64-2.3.3", last_cr2, 0xffffffffffff0000, "with its address");
	user_refused(top_of(), "user mode does not read the ROM");
	user_refused(top_of() + 0x10000, "nor what is behind it");
	user_refused(0xffffffffffff0000, "nor the end of the space");
	user_refused(RESERVED_HOLE, "nor the begin of the hole");
	user_refused(0xffff878000000000, "nor its last entry");
	hole_entry(256, "entry 256 of the PML4 shows nothing that is not the guest's");
	hole_entry(263, "nor does 263");
	hole_entry(271, "nor does 271");
}
