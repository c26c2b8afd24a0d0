# SPDX-License-Identifier: LGPL-2.1-or-later
# What bash would offer for a command line: complete.bash WORD... (the last one is being typed).
eval "$(evc completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_evc 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
