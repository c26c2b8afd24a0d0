/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/qemu.h"

bool evc_qemu_version(const char *text, unsigned *ret_version)
{
	struct evc_span rest = evc_span_from(text);
	uint64_t major, minor;

	if (!evc_span_decimal(&rest, &major) || !evc_span_skip(&rest, ".") ||
	    !evc_span_decimal(&rest, &minor))
		return false;
	if (major > 99 || minor > 99)
		return false;
	*ret_version = (unsigned)(major * 100 + minor);
	return true;
}

bool evc_qemu_names(enum evc_feature_id id, unsigned version)
{
	return evc_qemu_properties[id].since && evc_qemu_properties[id].since <= version;
}

bool evc_qemu_passes_nested(enum evc_feature_id id, unsigned version)
{
	return evc_qemu_properties[id].nested && evc_qemu_properties[id].nested <= version;
}

bool evc_qemu_tcg_shows(enum evc_feature_id id, unsigned version)
{
	const struct evc_qemu_property *property = &evc_qemu_properties[id];

	return property->tcg_first && property->tcg_first <= version && version <= property->tcg_last;
}

unsigned evc_qemu_usual_libvirt(unsigned version)
{
	unsigned libvirt = evc_qemu_libvirts[0].libvirt;

	for (size_t i = 1; i < evc_n_qemu_libvirts && evc_qemu_libvirts[i].qemu <= version; i++)
		libvirt = evc_qemu_libvirts[i].libvirt;
	return libvirt;
}

bool evc_libvirt_names(enum evc_feature_id id, unsigned libvirt)
{
	unsigned since = evc_qemu_properties[id].libvirt;

	return since && since <= libvirt;
}
