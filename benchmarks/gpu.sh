#!/usr/bin/env bash
# All checks of a graphics card in one go, in under 8 minutes. See Docs/performance.md.
#   benchmarks/gpu.sh [--out build/gpu] [--only NAME ...] [--small --device cpu]
# Takes Python from $PYTHON, else .venv, else python3. It needs PyTorch with CUDA; what else is missing is said.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-}
if [ -z "$python" ]; then if [ -x .venv/bin/python ]; then python=.venv/bin/python; else python=python3; fi; fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=python3.12 ...")' || exit 2
exec "$python" benchmarks/gpu/run.py "$@"
