# Ends everything that works in a directory, run as `sh -c <this> howdah-end <directory>` with the
# account of the servers: root may lack the right to look into processes of other users, or to remove
# their shared memory. A process works in a directory if its current directory lies in it; one whose
# standard input is a terminal is somebody looking around, and is left alone.

members() {
    find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$1" -o -lname "$1/*" \) 2>/dev/null |
    while IFS=/ read -r _ _ pid _; do
        case $(readlink "/proc/$pid/fd/0") in
        /dev/pts/* | /dev/tty*) ;;
        *) echo "$pid" ;;
        esac
    done
}

# Repeated, because a process may have started another one meanwhile; bounded, because one may hang
# in the kernel for ever.
rounds=0
while [ "$rounds" -lt 200 ]; do
    pids=$(members "$1")
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086 # one word per process
    kill -KILL $pids 2>/dev/null
    rounds=$((rounds + 1))
    sleep 0.02
done

# A killed PostgreSQL leaves a segment of System V shared memory; its number is in postmaster.pid.
for file in "$1"/*/data/postmaster.pid; do
    segment=$(sed -n '7s/^ *[0-9]* *//p' "$file" 2>/dev/null)
    [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
done
