# The watchdog of a private directory, run as
# `sh -c <this> howdah-watchdog <directory> <text of end.sh> [<command that changes the account>…]`.
#
# Its standard input is a pipe that the owner of the directory holds open. When the owner lets go, or
# dies in whatever way, the input ends. Then every process that works in the directory is killed, and
# the directory is removed with whatever anybody has put there.

trap '' HUP INT QUIT TERM
while read -r _; do :; done

directory=$1
end=$2
shift 2
"$@" sh -c "$end" howdah-end "$directory"
rm -rf -- "$directory"
