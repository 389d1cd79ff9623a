# Installs the Debian packages in the arguments, as root. Their system services stay disabled, because the tests start
# their own Redis, nginx and Prometheus processes.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # maintainer scripts start a service only if this program succeeds; exit status 101 forbids the start
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\n# Temporary, while packages are installed.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
lock='-o DPkg::Lock::Timeout=300'
apt-get $lock update -q || echo 'apt-get update failed; continuing with the existing package lists'
case " $* " in *" valkey-server "*)
    if ! apt-cache show valkey-server >/dev/null 2>&1; then
        . /etc/os-release
        no_valkey() {
            echo "$1: install Valkey 8 or Redis 7.2, or newer, by other means, and set VALKEY to the path of the server" >&2
            exit 1
        }
        [ "$ID-${VERSION_CODENAME:-}" = debian-bookworm ] || no_valkey "no package source of $PRETTY_NAME has valkey-server"
        # Debian 12 has Valkey only in its backports. apt takes from the backports only packages that Debian 12 lacks.
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)
        [ "$mirror" ] || no_valkey "apt has no package list of Debian 12"
        source="$mirror bookworm-backports main" list=/etc/apt/sources.list.d/checkout-valkey.list
        echo "deb $source" >"$list"
        apt-get $lock update -q -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 || true
        if ! apt-cache show valkey-server >/dev/null 2>&1; then
            rm -f "$list"
            no_valkey "$source does not have valkey-server, or cannot be reached"
        fi
    fi
    ;;
esac
apt-get $lock install -y -q --no-install-recommends "$@"
for package in "$@"; do
    case $package in
    redis-server | valkey-server | nginx | prometheus)
        if command -v systemctl >/dev/null; then
            systemctl disable "$package"
        else
            update-rc.d "$package" disable
        fi
        ;;
    esac
done
