#!/bin/sh
# Becomes the first process of a machine whose files lie in a folder, and runs a command there. To be started in mount and process
# namespaces of its own, which end with it.   usage: enter.sh FOLDER pivot|chroot COMMAND [ARGUMENT ...]
set -eu
root=$1 how=$2
shift 2
# A root to pivot to has to be a mount; one to chroot to must be none, to be like those that people make by hand.
if [ "$how" = pivot ]; then mount --bind "$root" "$root"; fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
cd "$root"
if [ "$how" = chroot ]; then exec chroot . "$@"; fi
mkdir .host
pivot_root . .host
umount -l /.host
rmdir /.host
exec "$@"
