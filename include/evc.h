/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_H
#define EVC_H

/* The public API of libevc.  It grows with the library; what is declared here is exported. */

#endif
