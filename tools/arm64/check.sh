#!/usr/bin/env bash
# Runs the robot's installation of leansort on 64-bit Arm, emulated by QEMU: the contract of every engine that has a
# wheel there, and the shipped models' labels beside those of this machine. Right answers only: an emulator times nothing.
#
#   tools/arm64/check.sh [FOLDER]    FOLDER keeps Debian's arm64 root (1.5 GB); build/arm64 by default
#
# Needs root, and Debian's packages debootstrap and qemu-user-static. Needs .venv (make .venv/.installed).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(realpath -m "${1:-build/arm64}")
root=$work/root
python=${PYTHON:-.venv/bin/python}
extras=${EXTRAS:-opencv,ncnn}

fail() { echo "error: arm64: $1" >&2; exit 2; }
[ "$(id -u)" = 0 ] || fail "needs root, for chroot"
command -v debootstrap >/dev/null || fail "no debootstrap; run: apt-get install debootstrap qemu-user-static"
command -v qemu-aarch64-static >/dev/null || fail "no QEMU; run: apt-get install qemu-user-static"
[ -x "$python" ] || fail "no $python; run: make .venv/.installed"

binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt || fail "the kernel has no binfmt_misc"
[ -e $binfmt/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$binfmt/register || fail "QEMU cannot be registered"

# Without /proc and /sys, which would describe this machine: libraries that look there for an Arm core crash.
arm() { chroot "$root" /usr/bin/env -i PATH=/opt/leansort/bin:/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }

if [ ! -e "$root/.made" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}
  debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" "$mirror"
  arm python3 -m venv /opt/leansort
  touch "$root/.made"
fi
[ "$(arm uname -m)" = aarch64 ] || fail "the root does not run as aarch64"

# The registry is reached as on this machine: its certificate authorities and pip's settings.
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
rm -rf "$work/wheel" && mkdir -p "$work/wheel"
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$work/wheel" .
mkdir -p "$root/check/samples"
cp "$work"/wheel/*.whl "$root/check/"
wheel=$(basename "$work"/wheel/*.whl)
arm pip install --quiet --force-reinstall --no-deps "/check/$wheel"
arm pip install --quiet --cert /etc/ssl/certs/ca-certificates.crt "/check/$wheel[$extras]" pytest

# Bundles of the contract, photos, and what they are here.
"$python" tools/arm64/samples.py "$root/check/samples"
"$python" -m leansort data sample --out "$work/drawn" --train 16 --val 4 --test 4 --seed 1 >/dev/null 2>&1 || true
rm -rf "$root/check/photos" && cp -r "$work/drawn/images" "$root/check/photos"
for model in trashnet-lean trashnet-compressed; do
  (cd "$root/check" && "$OLDPWD/$python" -m leansort predict $model photos --engine onnxruntime --format json 2>/dev/null >here-$model.json)
  (arm sh -c "cd /check && leansort predict $model photos --engine onnxruntime --format json 2>/dev/null >there-$model.json")
  "$python" tools/arm64/compare.py "$root/check/here-$model.json" "$root/check/there-$model.json" $model
done
cp tools/arm64/engines_on_arm.py "$root/check/test_engines_on_arm.py"
arm sh -c "cd /check && LEANSORT_SAMPLE_BUNDLES=/check/samples python -m pytest -q -rs -p no:cacheprovider test_engines_on_arm.py"
