// SPDX-License-Identifier: GPL-2.0-only
/*
 * A serial port for another guest, at any ports: what the guest sends is written to
 * standard output, until it ends. No interrupts, and nothing to receive, as much as
 * Linux's "earlyprintk=serial,0xPORT,keep" uses. One that was made and has not begun
 * begins then. An example of a device model by /dev/vmi.
 *
 * usage: vmi-uart GUEST PORT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vmi.h>

#define LOOK_MS		100
#define PORTS		8
#define THR		0	/* with LCR_DLAB half of the divisor */
#define LCR		3
#define LSR		5
#define LCR_DLAB	0x80
#define LSR_EMPTY	0x60	/* both transmitter registers are */

static uint8_t reg[PORTS];
static uint32_t port;

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static void sends(uint8_t byte)
{
	if (write(STDOUT_FILENO, &byte, 1) != 1)
		fail("standard output");
}

/* Accesses of several bytes are to the first. */
static void access_port(volatile struct vmi_io_request *r)
{
	uint32_t at = (r->address - port) % PORTS;
	uint8_t byte = r->value;

	if (r->direction == VMI_IO_READ) {
		r->value = at == LSR ? LSR_EMPTY : reg[at];
		return;
	}
	if (at == THR && !(reg[LCR] & LCR_DLAB))
		sends(byte);
	else
		reg[at] = byte;
}

/* Its end comes with no upcall. */
static bool is_there(int device, uint32_t guest)
{
	struct vmi_guest_info info = { .id = guest };

	return !ioctl(device, VMI_INFO, &info) && !info.ended;
}

static void serve(int device, uint32_t guest,
		  volatile struct vmi_io_request *slots)
{
	struct pollfd fd = { .fd = device, .events = POLLIN };
	uint32_t i;

	while (poll(&fd, 1, LOOK_MS) || is_there(device, guest)) {
		for (i = 0; i < VMI_REQUEST_SLOTS; i++) {
			if (slots[i].state != VMI_REQUEST_PENDING)
				continue;
			access_port(&slots[i]);
			__atomic_store_n(&slots[i].state, VMI_REQUEST_COMPLETE,
					 __ATOMIC_RELEASE);
			/* Nobody waits for it if it is gone. */
			ioctl(device, VMI_REQUEST_DONE, i);
		}
	}
}

int main(int argc, char **argv)
{
	struct vmi_request_page page = { 0 };
	struct vmi_claim ports = { .kind = VMI_IO_PORT, .bytes = PORTS };
	int device = open("/dev/vmi", O_RDWR | O_CLOEXEC);
	void *slots;

	if (argc != 3) {
		fputs("usage: vmi-uart GUEST PORT\n", stderr);
		return 2;
	}
	page.guest = strtoul(argv[1], NULL, 0);
	ports.first = port = strtoul(argv[2], NULL, 0);
	if (device < 0)
		fail("/dev/vmi");
	if (ioctl(device, VMI_REQUEST_PAGE, &page))
		fail(argv[1]);
	if (ioctl(device, VMI_CLAIM, &ports))
		fail(argv[2]);
	slots = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		     MAP_SHARED, device, 0);
	if (slots == MAP_FAILED)
		fail("slots");
	if (ioctl(device, VMI_START, page.guest) && errno != EBUSY)
		fail(argv[1]);
	serve(device, page.guest, slots);
	return 0;
}
