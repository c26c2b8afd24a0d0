/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_GUEST_SOCKET_H
#define EVC_GUEST_SOCKET_H

/* Connections to QEMU's sockets, and waiting with a deadline. */

#include "text/qmp.h"

#include <stdint.h>

/* Milliseconds of a clock that only goes forward. */
int64_t evc_now_ms(void);

/* Wait until the descriptor can be read or written (POLLIN, POLLOUT); false at the deadline of that clock. */
bool evc_socket_wait(int fd, short events, int64_t deadline);

/* Connect; a descriptor that does not block, or a negative status with the reason in err. */
int evc_socket_connect(const struct evc_qmp_address *address, int64_t deadline, struct evc_error *err);

#endif
