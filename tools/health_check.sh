#!/bin/sh
# A monitor's look at a running Atlas, as Nagios and its kin call it: one line, and an exit code that says how it is.
set -u

usage() {
    cat <<'TEXT'
Usage: health_check.sh [-H HOST] [-p PORT] [-u URL] [-t SECONDS]

Asks /health and /ready of an Atlas, and says in one line how it is, with figures behind the bar.

  -H, --host HOST        where it listens (127.0.0.1)
  -p, --port PORT        the port there (7444)
  -u, --url URL          both in one, for an Atlas behind a proxy: https://atlas.example
  -t, --timeout SECONDS  for everything together, in whole seconds (10)
  -h, --help             this text

Exit codes: 0 OK, 1 WARNING (saves are accepted, and something fails or takes a breath), 2 CRITICAL (no save is
accepted, or no answer in time), 3 UNKNOWN (wrong call, or what answers is not an Atlas).
Needs curl or python3.
TEXT
}

end() { # CODE WORD TEXT [FIGURES]
    printf 'ATLAS %s - %s%s\n' "$2" "$3" "${4:+ | $4}"
    exit "$1"
}
unknown() { end 3 UNKNOWN "$1"; }

host=127.0.0.1 port=7444 url='' seconds=10
while [ $# -gt 0 ]; do
    option=$1
    case $option in
    -h | --help)
        usage
        exit 0
        ;;
    --*=*)
        value=${option#*=}
        option=${option%%=*}
        ;;
    -H | --host | -p | --port | -u | --url | -t | --timeout)
        [ $# -gt 1 ] || unknown "$option needs a value; see --help"
        value=$2
        shift
        ;;
    *) unknown "no such option: $option; see --help" ;;
    esac
    shift
    case $option in
    -H | --host) host=$value ;;
    -p | --port) port=$value ;;
    -u | --url) url=${value%/} ;;
    -t | --timeout) seconds=$value ;;
    *) unknown "no such option: $option; see --help" ;;
    esac
done
case $seconds in '' | *[!0-9]* | 0* | ?????*) unknown "--timeout takes whole seconds from 1 to 9999, not '$seconds'" ;; esac
case $port in '' | *[!0-9]* | ??????*) unknown "--port takes a number, not '$port'" ;; esac
case $host in '' | *[!A-Za-z0-9.:%_-]*) unknown "--host takes a name or an address, not '$host'" ;; *:*) host="[$host]" ;; esac
[ -n "$url" ] || url=http://$host:$port
case $url in
*[[:space:][:cntrl:]]*) unknown "--url takes no blanks" ;;
http://?* | https://?*) ;;
*) unknown "--url takes http://… or https://…, not '$url'" ;;
esac

# Ask URL SECONDS: the body, then a line with the status (000 without one) and what the asker ended with.
LIMIT=65536 # bytes; an answer has about two thousand
by_curl() {
    curl -q --silent --globoff --noproxy '*' --proto '=http,https' --max-time "$2" \
        --write-out '\n%{http_code}' "$1" 2>/dev/null
    printf ' %s\n' $?
}
by_python() {
    python3 -I -c '
import http.client, signal, socket, sys, urllib.error, urllib.request
def over(*_):
    raise TimeoutError
def end(code, status=0, body=b""):
    sys.stdout.buffer.write(body + f"\n{status:03} {code}\n".encode())
    sys.exit()
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
signal.signal(signal.SIGALRM, over)
signal.alarm(int(sys.argv[2]))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
try:
    try:
        answer = opener.open(sys.argv[1])
    except urllib.error.HTTPError as error:
        answer = error
    body = answer.read(int(sys.argv[3]))
    end(56 if getattr(answer, "length", 0) and len(body) < int(sys.argv[3]) else 0, answer.status, body)
except TimeoutError:
    end(28)
except (OSError, http.client.HTTPException) as error:
    why = getattr(error, "reason", error)
    end(28 if isinstance(why, TimeoutError) else 6 if isinstance(why, socket.gaierror) else 7 if isinstance(why, ConnectionRefusedError) else 56)
' "$1" "$2" "$LIMIT" 2>/dev/null
}
if command -v curl >/dev/null 2>&1; then
    ask() { by_curl "$@" | tail -c "$LIMIT"; }
elif command -v python3 >/dev/null 2>&1; then
    ask() { by_python "$@"; }
else
    unknown 'neither curl nor python3 is on PATH'
fi

# A value at the top of a JSON answer as Atlas writes it, without blanks: a word, a number, true or false.
top() { # ANSWER NAME
    printf '%s' "$1" | awk -v name="\"$2\":" '
        { at = index($0, name)
          if (at && !found) { rest = substr($0, at + length(name)); gsub(/^"/, "", rest); match(rest, /^[A-Za-z0-9._-]*/)
                              print substr(rest, 1, RLENGTH); found = 1 } }'
}
# The parts whose state is not ok, each with its reason.
parts() {
    printf '%s' "$1" | awk '
        { while (match($0, /"[a-z_]+":\{"state":"(failing|warning)"/)) {
              name = substr($0, RSTART + 1); sub(/".*/, "", name); $0 = substr($0, RSTART + RLENGTH); reason = ""
              if (match($0, /^,"reason":"[^"\\]*"/)) reason = substr($0, 12, RLENGTH - 12)
              printf "%s%s%s", (said++ ? "; " : ""), name, (reason == "" ? "" : ": " reason) } }' | tr -d '|\000-\037'
}

begun=$(date +%s)
left() { # at least a second, so that what is late is told as late
    rest=$((seconds - ($(date +%s) - begun)))
    [ "$rest" -ge 1 ] || rest=1
    printf '%s' "$rest"
}
# ANSWER and STATUS of PATH; ends CRITICAL or UNKNOWN when there is none.
look() {
    said=$(ask "$url/$1" "$(left)")
    last=$(printf '%s\n' "$said" | tail -n 1)
    answer=$(printf '%s\n' "$said" | sed '$d' | tr -d '\000')
    status=${last%% *}
    case ${last##* } in
    0) ;;
    3 | 6) unknown "$url cannot be asked: no such host, or no such address" ;;
    7) end 2 CRITICAL "$url refuses connections: Atlas does not run there (systemctl status atlas-api)" ;;
    28) end 2 CRITICAL "$url/$1 gave no answer within $seconds s" "time=${seconds}s;;$seconds;0" ;;
    *) end 2 CRITICAL "$url/$1 broke off its answer" ;;
    esac
}

look health
condition=$(top "$answer" status)
case $status:$condition in
200:ok | 200:degraded | 503:down) ;;
5??:*) end 2 CRITICAL "$url/health answers $status" ;;
*) unknown "what answers $status at $url/health is not an Atlas" ;;
esac
failing=$(parts "$answer")
look ready
ready=$(top "$answer" ready)
size=$(top "$answer" queue_size)
most=$(top "$answer" max_queue_size)
case $status:$ready in
200:true | 503:false) ;;
5??:*) end 2 CRITICAL "$url/ready answers $status" ;;
*) unknown "what answers $status at $url/ready is not an Atlas" ;;
esac
took=$(($(date +%s) - begun))
figures="time=${took}s;;$seconds;0 queue=${size:-0};;${most:-0};0;${most:-0}"

if [ "$condition" = down ]; then
    end 2 CRITICAL "no save is accepted: ${failing:-see $url/health}" "$figures"
elif [ "$condition" = degraded ] || [ -n "$failing" ]; then
    end 1 WARNING "saves are accepted, but ${failing:-see $url/health}" "$figures"
elif [ "$ready" = false ]; then
    end 1 WARNING "all works, but it takes a breath: queue $size of $most" "$figures"
fi
end 0 OK "all works, queue $size of $most" "$figures"
