// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/vmi refuses, and when it ends to serve: for tests.
 *
 * usage: vmi-errors GUEST
 *
 * The guest was made, has no server, and has not begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vmi.h>

#define NOBODY		77u	/* a guest's number */
#define PAGE		4096u

static int bad;
static uint32_t guest;

/* A result, or an error below 0. */
static void is(const char *what, long result, long expected)
{
	if (result == expected)
		return;
	printf("vmi-errors: %s: %ld, not %ld\n", what, result, expected);
	bad = 1;
}

static long call(int fd, unsigned long cmd, const void *arg)
{
	int result = ioctl(fd, cmd, arg);

	return result < 0 ? -errno : result;
}

static long about(int fd, unsigned long cmd, unsigned long arg)
{
	return call(fd, cmd, (void *)arg);
}

static int device(void)
{
	int fd = open("/dev/vmi", O_RDWR);

	if (fd < 0) {
		perror("/dev/vmi");
		exit(1);
	}
	return fd;
}

static long serve(int fd, uint32_t whom, uint32_t flags)
{
	struct vmi_request_page p = { .guest = whom, .flags = flags };

	return call(fd, VMI_REQUEST_PAGE, &p);
}

static long claim(int fd, unsigned long cmd, uint64_t first, uint64_t bytes)
{
	struct vmi_claim c = {
		.kind = VMI_IO_PORT, .first = first, .bytes = bytes,
	};

	return call(fd, cmd, &c);
}

static long line(int fd, uint32_t irq, uint32_t level)
{
	struct vmi_line l = { .irq = irq, .level = level };

	return call(fd, VMI_SET_LINE, &l);
}

static long map(int fd, size_t bytes, int flags, off_t at)
{
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, at);

	if (page == MAP_FAILED)
		return -errno;
	munmap(page, bytes);
	return 0;
}

/* Of a new file. */
static void numbers(int fd)
{
	static char room[sizeof(struct vmi_list)];

	is("mmap()", map(fd, PAGE, MAP_SHARED, 0), -EINVAL);
	is("no such number", call(fd, _IO(VMI_IOC, 0), room), -ENOTTY);
	is("of another device", call(fd, _IO('T', VMI_HC_Start), room), -ENOTTY);
	is("another size", call(fd, _IOWR(VMI_IOC, VMI_HC_Info, char), room),
	   -ENOTTY);
	is("another direction", call(fd, _IO(VMI_IOC, VMI_HC_List), room),
	   -ENOTTY);
}

static void pointers(int fd)
{
	static const unsigned long cmd[] = {
		VMI_LIST, VMI_INFO, VMI_STATISTICS, VMI_SEND, VMI_CREATE,
		VMI_CONSOLE_READ, VMI_CONSOLE_WRITE, VMI_REQUEST_PAGE,
		VMI_CLAIM, VMI_UNCLAIM, VMI_SET_LINE,
	};
	struct vmi_console c = { .guest = guest, .bytes = 5, .data = 16 };
	uint32_t i;

	for (i = 0; i < sizeof(cmd) / sizeof(cmd[0]); i++)
		is("a bad pointer", about(fd, cmd[i], 16), -EFAULT);
	is("a console's", call(fd, VMI_CONSOLE_WRITE, &c), -EFAULT);
	c.bytes = 0;
	is("but to nothing", call(fd, VMI_CONSOLE_WRITE, &c), 0);
}

static void nobody(int fd)
{
	static const unsigned long cmd[] = {
		VMI_STATE, VMI_REPLY, VMI_START, VMI_PAUSE, VMI_RESUME,
		VMI_RESET, VMI_DESTROY,
	};
	struct vmi_guest_info info = { .id = NOBODY };
	struct vmi_statistics stats = { .guest = NOBODY };
	struct vmi_send send = { .guest = NOBODY, .message = 1 };
	struct vmi_console c = { .guest = NOBODY };
	uint32_t i;

	for (i = 0; i < sizeof(cmd) / sizeof(cmd[0]); i++)
		is("of nobody", about(fd, cmd[i], NOBODY), -EINVAL);
	is("information", call(fd, VMI_INFO, &info), -EINVAL);
	is("statistics", call(fd, VMI_STATISTICS, &stats), -EINVAL);
	is("a message", call(fd, VMI_SEND, &send), -EINVAL);
	is("reading", call(fd, VMI_CONSOLE_READ, &c), -EINVAL);
	is("writing", call(fd, VMI_CONSOLE_WRITE, &c), -EINVAL);
	is("serving", serve(fd, NOBODY, 0), -EINVAL);
}

static long create(int fd, const void *kernel, uint64_t bytes,
		   uint32_t cmdline_bytes)
{
	struct vmi_guest_create c = {
		.kernel = (uintptr_t)kernel, .kernel_bytes = bytes,
		.cmdline = 16, .cmdline_bytes = cmdline_bytes,
		.memory = 16, .cpus = 1,
	};

	return call(fd, VMI_CREATE, &c);
}

static void creation(int fd)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + PAGE, PAGE);
	is("a kernel at no page", create(fd, page + 16, 100, 0), -EINVAL);
	is("half of it", create(fd, page, 2 * PAGE, 0), -EFAULT);
	is("more than there is", create(fd, page, 1ull << 40, 0), -EINVAL);
	is("a long command line", create(fd, page, PAGE, 2048), -EINVAL);
	is("a bad one", create(fd, page, PAGE, 5), -EFAULT);
	is("what is no kernel", create(fd, page, PAGE, 0), -EINVAL);
}

static void no_server(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	is("poll()", poll(&p, 1, 0), 0);
	is("its end", about(fd, VMI_REQUEST_END, 0), -EINVAL);
	is("a claim", claim(fd, VMI_CLAIM, 0x2f8, 8), -EINVAL);
	is("none", claim(fd, VMI_UNCLAIM, 0x2f8, 8), -EINVAL);
	is("an answer", about(fd, VMI_REQUEST_DONE, 0), -EINVAL);
	is("a line", line(fd, 5, 1), -EINVAL);
}

static void server(int fd)
{
	int other = device();

	is("flags", serve(fd, guest, 2), -EINVAL);
	is("the guest itself", serve(fd, 0, 0), -EINVAL);
	is("a server", serve(fd, guest, 0), 0);
	is("twice", serve(fd, guest, 0), -EBUSY);
	is("a second one", serve(other, guest, 0), -EBUSY);
	no_server(other);
	is("a mapping", map(fd, PAGE, MAP_SHARED, 0), 0);
	is("at another place", map(fd, PAGE, MAP_SHARED, PAGE), -EINVAL);
	is("of another size", map(fd, 2 * PAGE, MAP_SHARED, 0), -EINVAL);
	is("of one's own", map(fd, PAGE, MAP_PRIVATE, 0), -EINVAL);
	is("a claim", claim(fd, VMI_CLAIM, 0x2f8, 8), 0);
	is("twice", claim(fd, VMI_CLAIM, 0x2f8, 8), -EBUSY);
	is("no port", claim(fd, VMI_CLAIM, 0x10000, 1), -EINVAL);
	is("none in this machine", claim(fd, VMI_CLAIM, 1ull << 32, 1), -EINVAL);
	is("a part", claim(fd, VMI_UNCLAIM, 0x2f8, 4), -EINVAL);
	is("nothing was asked", about(fd, VMI_REQUEST_DONE, 0), -EINVAL);
	is("no vCPU", about(fd, VMI_REQUEST_DONE, 16), -EINVAL);
	is("a line", line(fd, 5, 1), 0);
	is("no line", line(fd, 0, 1), -EINVAL);
	is("no level", line(fd, 5, 2), -EINVAL);
	is("its end", about(fd, VMI_REQUEST_END, 0), 0);
	is("poll() then", poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0), 0);
	is("the other one", serve(other, guest, 0), 0);
	close(other);
	is("after its close()", serve(fd, guest, 0), 0);
	is("its end", about(fd, VMI_REQUEST_END, 0), 0);
	close(fd);
}

/* As long as anybody has the file, or its page mapped. */
static void closed(void)
{
	int fd = device(), other = device(), status;
	volatile struct vmi_io_request *slot;
	pid_t child;

	is("a server", serve(fd, guest, 0), 0);
	slot = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	is("a slot", slot[15].state, VMI_REQUEST_FREE);
	child = fork();
	if (!child) {
		slot[0].value = 5;
		_exit(close(fd));
	}
	waitpid(child, &status, 0);
	is("the child", status, 0);
	is("what it has written", slot[0].value, 5);
	is("its close()", line(fd, 5, 1), 0);
	close(fd);
	is("it is mapped", serve(other, guest, 0), -EBUSY);
	munmap((void *)slot, PAGE);
	is("and not any more", serve(other, guest, 0), 0);
	close(other);
}

int main(int argc, char **argv)
{
	int fd = device();

	if (argc != 2) {
		fputs("usage: vmi-errors GUEST\n", stderr);
		return 2;
	}
	guest = strtoul(argv[1], NULL, 0);
	numbers(fd);
	pointers(fd);
	nobody(fd);
	creation(fd);
	no_server(fd);
	server(fd);
	closed();
	puts(bad ? "vmi-errors: FAIL" : "vmi-errors: OK");
	return bad;
}
