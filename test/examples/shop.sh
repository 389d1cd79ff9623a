#!/bin/sh
# An example client: creates a user, an item and an order, checks the order out, and prints the result. The client
# retries each request safely.
#   GATEWAY_URL=http://localhost:8000 sh shop.sh
set -eu
shop=${GATEWAY_URL:-http://localhost:8000}

# call METHOD PATH [curl options] prints the response, or an error response on stderr. It retries a request that was
# shed (429) or that has an unknown outcome (503, or no response: 000). A write needs an idempotency
# key, which makes its retries safe.
call() {
    method=$1 path=$2
    shift 2
    for try in 1 2 3 4 5; do
        response=$(curl -sS -w '\n%{http_code}' -X "$method" "$shop$path" "$@") || response='
000'
        case ${response##*
} in
        200) echo "${response%
*}" && return ;;
        429 | 503 | 000) sleep "$try" ;;
        *) echo "${response%
*}" >&2 && return 1 ;;
        esac
    done
    echo "$method $path: no final response" >&2
    return 1
}
key() { printf 'Idempotency-Key: %s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }

# field NAME METHOD PATH [curl options] prints a field of the response.
field() {
    name=$1
    shift
    body=$(call "$@") && echo "$body" | sed 's/.*"'"$name"'":"\{0,1\}\([^",}]*\).*/\1/'
}

user=$(field user_id POST /payment/create_user -H "$(key)")
call POST "/payment/add_funds/$user/100" -H "$(key)" >/dev/null
item=$(field item_id POST /stock/item/create/5 -H "$(key)")
call POST "/stock/add/$item/10" -H "$(key)" >/dev/null
order=$(field order_id POST "/orders/create/$user" -H "$(key)")
call POST "/orders/addItem/$order/$item/2" -H "$(key)" >/dev/null
call POST "/orders/checkout/$order" >/dev/null # a checkout needs no key
paid=$(field paid GET "/orders/find/$order")
credit=$(field credit GET "/payment/find_user/$user")
stock=$(field stock GET "/stock/find/$item")
printf 'paid: %s\ncredit: %s\nstock: %s\n' "$paid" "$credit" "$stock"
