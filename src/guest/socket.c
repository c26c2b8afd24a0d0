/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int64_t evc_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool evc_socket_wait(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - evc_now_ms();
		int n = poll(&poll_fd, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static int open_unix(const struct evc_qmp_address *address, struct evc_error *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return evc_fail(err, EVC_ERR_IO, "socket: %s", strerror(errno));
	memcpy(to.sun_path, address->path, strlen(address->path));
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	if (errno == ECONNREFUSED)
		(void)evc_fail(err, EVC_ERR_IO,
		               "nobody listens there: the QEMU that made the socket has ended");
	else if (errno == ENOENT)
		(void)evc_fail(err, EVC_ERR_IO, "there is no such socket");
	else if (errno == EAGAIN)
		(void)evc_fail(err, EVC_ERR_IO, "too many clients wait there already");
	else
		(void)evc_fail(err, EVC_ERR_IO, "%s", strerror(errno));
	close(fd);
	return EVC_ERR_IO;
}

/* Either kind of numeric address; returns its length, 0 when it is none. */
static socklen_t fill_address(const struct evc_qmp_address *address, struct sockaddr_storage *to)
{
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	if (inet_pton(AF_INET, address->host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(address->port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, address->host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(address->port);
		return sizeof(*six);
	}
	return 0;
}

static int open_tcp(const struct evc_qmp_address *address, int64_t deadline, struct evc_error *err)
{
	struct sockaddr_storage to = { 0 };
	socklen_t length = fill_address(address, &to), size = sizeof(int);
	int fd, error = 0;

	if (!length)
		return evc_fail(err, EVC_ERR_USAGE, "%s is not a numeric address: names are not looked up",
		                address->host);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return evc_fail(err, EVC_ERR_IO, "socket: %s", strerror(errno));
	if (!connect(fd, (struct sockaddr *)&to, length))
		return fd;
	error = errno;
	if (error == EINPROGRESS) {
		error = ETIMEDOUT;
		if (evc_socket_wait(fd, POLLOUT, deadline) &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
			error = errno;
	}
	if (!error)
		return fd;
	close(fd);
	return evc_fail(err, EVC_ERR_IO, "cannot be reached: %s", strerror(error));
}

static int open_fd(const struct evc_qmp_address *address, struct evc_error *err)
{
	int fd = fcntl(address->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return evc_fail(err, EVC_ERR_USAGE, "%s", strerror(errno));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

int evc_socket_connect(const struct evc_qmp_address *address, int64_t deadline, struct evc_error *err)
{
	switch (address->kind) {
	case EVC_QMP_UNIX:
		return open_unix(address, err);
	case EVC_QMP_TCP:
		return open_tcp(address, deadline, err);
	case EVC_QMP_FD:
		break;
	}
	return open_fd(address, err);
}
