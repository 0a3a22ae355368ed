# deps.sh: installs what is missing, after saying what. Sourced after common.sh.
#
#   deps_ensure build    a compiler, meson, and the libraries sluice links
#   deps_ensure static   the same, each library as a static archive
#   deps_ensure bench    the same, and what the load generator links
#   deps_ensure test     clang's sanitizers and tidy, cmocka, redis-server, Python, node
#
# Where the distribution has a library in the version we need, it is an ordinary package. Debian 12
# lacks four: llhttp, mbedTLS 3.6, hiredis 1.2 and yyjson. Those come from Debian 13's signed
# archive, unpacked into build/deps (the system is not touched), as static archives: a shared
# library from there would want a newer libc than Debian 12 has, the archives do not. Elsewhere
# meson builds the pinned sources of subprojects/*.wrap.

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export PKG_CONFIG_PATH="$DEPS/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"

PACKAGES_TOOLS="gcc libc6-dev pkg-config meson ninja-build"
PACKAGES_LIBS="libuv1-dev libyaml-dev libsqlite3-dev zlib1g-dev libpcre2-dev"
PACKAGES_TEST="clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19 libcmocka-dev
    redis-server openssl curl python3 python3-venv"

# package → the oldest version that will do
NEWER_LIBS="libllhttp-dev:9.2 libhiredis-dev:1.2 libyyjson-dev:0.9 libmbedtls-dev:3.6"

deps_ensure() {
    local set=$1 stamp=$BUILD/.deps-$1 now
    # The stamp names this file's content and the system: the second run costs one checksum.
    now=$(cat /etc/os-release "${BASH_SOURCE[0]}" | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
        return 0
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        deps_without_apt "$set"
    else
        "deps_$set"
    fi
    printf '%s\n' "$now" >"$stamp"
}

deps_build() {
    apt_install $PACKAGES_TOOLS $PACKAGES_LIBS
    # A container's image has no lists at all.
    compgen -G "/var/lib/apt/lists/*_Packages*" >/dev/null || apt_update
    local entry package here="" borrowed="" nowhere=""
    for entry in $NEWER_LIBS; do
        package=${entry%:*}
        case $(suite_of "$package" "${entry#*:}") in
        here) here+=" $package" ;;
        trixie) borrowed+=" $package" ;;
        *) nowhere+=" $package" ;;
        esac
    done
    apt_install $here
    if [ -n "$borrowed" ]; then
        say "from Debian 13's archive into build/deps, leaving the system alone:$borrowed"
        deps_unpack trixie $borrowed
    fi
    if [ -n "$nowhere" ]; then
        say "not packaged here in a new enough version:$nowhere"
        say "meson builds those from the pinned sources of subprojects/*.wrap"
    fi
    suite_close
    vocabularies_fetch
}

# The tables of the tokenizer, as OpenAI publishes them, from a package of npm's; npm knows where its
# registry is, and we know what must come from there.
VOCABULARIES=js-tiktoken@1.0.21
VOCABULARIES_SHA256=3b1f24b185565ca9a8d8f51466dfc4f99d67f1f05bc009258710ddb7a8d810fa
vocabularies_fetch() {
    local dir=$DEPS/${VOCABULARIES%@*} archive
    [ ! -e "$dir/package/dist/ranks/o200k_base.js" ] || return 0
    if ! command -v npm >/dev/null; then
        say "no npm here: tokens will be estimated, not counted (install npm, and build again)"
        return 0
    fi
    mkdir -p "$dir"
    archive=$dir/${VOCABULARIES/@/-}.tgz
    (cd "$dir" && step "download $VOCABULARIES" "$BUILD/log/download-vocabularies" \
        npm pack --silent "$VOCABULARIES") || return 0
    printf '%s  %s\n' "$VOCABULARIES_SHA256" "$archive" | sha256sum --check --status ||
        die "$VOCABULARIES is not what it was when this was written: its checksum differs"
    tar -C "$dir" -xf "$archive" package/dist/ranks package/package.json
    rm -f "$archive"
}

# suite_of PACKAGE VERSION: where there is at least that version: here, in trixie, or nowhere
suite_of() {
    if apt_has "$1" "$2"; then
        echo here
    elif [ "$(apt_codename)" = bookworm ]; then
        echo trixie
    else
        echo nowhere
    fi
}

deps_static() {
    deps_ensure build
    # The one library no Debian has an archive of.
    [ -e "$DEPS/lib/libyyjson.a" ] || yyjson_from_source "$(apt_codename)"
    suite_close
}

deps_bench() {
    deps_ensure build
    apt_install libssl-dev
}

deps_test() {
    deps_ensure build
    apt_install $PACKAGES_TEST
    # Whatever node is there will do if it is not ancient; distributions' own npm is a separate package.
    command -v node >/dev/null || apt_install nodejs
    command -v npm >/dev/null || apt_install npm
}

deps_without_apt() {
    local need
    for need in cc meson ninja pkg-config; do
        command -v $need >/dev/null ||
            die "'$need' is missing, and this system has no apt to install it with. Install a C" \
                "compiler, meson (1.0 or newer), ninja and pkg-config with your package manager."
    done
    say "no apt here: libraries that pkg-config does not find are built from subprojects/*.wrap"
    vocabularies_fetch
    [ "$1" != test ] || say "the tests also need: clang 19, cmocka, redis-server, python3, node, npm"
}

# ── apt ──────────────────────────────────────────────────────────────────────────────────────────

APT_UPDATED=no

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_update() {
    [ $APT_UPDATED = yes ] && return 0
    step "refreshing the package lists" "$BUILD/log/apt-update" as_root apt-get update
    APT_UPDATED=yes
}

apt_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_install() {
    local p missing=""
    for p in "$@"; do
        apt_installed "$p" || missing+=" $p"
    done
    [ -n "$missing" ] || return 0
    say "installing with apt:$missing"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "that needs root, and there is no sudo. As root, run: apt-get install$missing"
    apt_update
    step "apt-get install" "$BUILD/log/apt-install" \
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# apt_has PACKAGE VERSION: installed or installable in at least that version
apt_has() {
    local candidate
    candidate=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] &&
        dpkg --compare-versions "$candidate" ge "$2"
}

apt_codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# ── into build/deps, from another suite or from source ───────────────────────────────────────────

# deps_unpack SUITE PACKAGE…: headers and archives of that suite's packages
deps_unpack() {
    local p
    apt_install ca-certificates debian-archive-keyring
    suite_open "$1"
    shift
    rm -rf "$DEPS/debs" "$DEPS/unpacked"
    mkdir -p "$DEPS/debs" "$DEPS/unpacked" "$DEPS/lib/pkgconfig" "$DEPS/include"
    for p in "$@"; do
        (cd "$DEPS/debs" && step "download $p" "$BUILD/log/download-$p" \
            apt-get "${SUITE_OPTIONS[@]}" download "$p")
    done
    for p in "$DEPS"/debs/*.deb; do
        dpkg -x "$p" "$DEPS/unpacked"
    done
    cp -r "$DEPS/unpacked/usr/include/." "$DEPS/include/"
    # Archives only: with no .so beside them, -lmbedtls can mean nothing else.
    cp "$DEPS"/unpacked/usr/lib/*/*.a "$DEPS/lib/"
    for p in "$DEPS"/unpacked/usr/lib/*/pkgconfig/*.pc; do
        pc_relocate "$p" >"$DEPS/lib/pkgconfig/${p##*/}"
    done
    rm -rf "$DEPS/debs" "$DEPS/unpacked"
    case " $* " in *" libyyjson-dev "*) yyjson_from_source "$SUITE" ;; esac
}

# A .pc file that finds its files wherever the source tree is moved to.
pc_relocate() {
    sed -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' \
        -e 's|^libdir=.*|libdir=${prefix}/lib|' \
        -e 's|^\([a-z]*includedir\)=/usr/include|\1=${prefix}/include|' "$1"
}

# suite_open CODENAME: SUITE_OPTIONS makes apt-get speak of that suite and of nothing installed. It
# asks the servers this machine asks already, and checks Debian's signatures as ever.
suite_open() {
    local suite=$1 own codename file
    [ "${SUITE:-}" != "$suite" ] || return 0
    own=$DEPS/apt-$suite
    codename=$(apt_codename)
    rm -rf "$own"
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/sources"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] && grep -q "^deb .*$codename" "$file" || continue
        sed -n -e "/^deb .*$codename/!d" -e "s/$codename/$suite/g" -e p -e 's/^deb /deb-src /p' \
            "$file" >"$own/sources/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] && grep -q "^Suites:.*$codename" "$file" || continue
        sed -e 's/^Types:.*/Types: deb deb-src/' -e "/^Suites:/s/$codename/$suite/g" \
            "$file" >"$own/sources/${file##*/}"
    done
    SUITE_OPTIONS=(-o Dir::State::lists="$own/lists" -o Dir::Cache="$own/cache"
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$own/sources"
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null)
    # apt would drop to a user of its own, who may not write here.
    [ "$(id -u)" != 0 ] || SUITE_OPTIONS+=(-o APT::Sandbox::User=root)
    # A third party's repository may know nothing of that suite: only the downloads must succeed.
    step "reading $suite's package lists" "$BUILD/log/apt-$suite" \
        apt-get "${SUITE_OPTIONS[@]}" update || true
    SUITE=$suite
}

suite_close() {
    [ -z "${SUITE:-}" ] || rm -rf "$DEPS/apt-$SUITE"
    SUITE=
}

# yyjson_from_source SUITE: Debian has yyjson as a shared library only; it is one file. apt checks
# the signatures of sources as it does those of packages.
yyjson_from_source() {
    local work=$DEPS/yyjson version
    apt_install xz-utils
    suite_open "$1"
    rm -rf "$work"
    mkdir -p "$work" "$DEPS/lib/pkgconfig" "$DEPS/include"
    (cd "$work" && step "download yyjson's source" "$BUILD/log/download-yyjson" \
        apt-get "${SUITE_OPTIONS[@]}" source --download-only --tar-only yyjson)
    tar -C "$work" -xf "$work"/yyjson_*.orig.tar.xz --strip-components=1
    version=$(sed -n 's/^#define YYJSON_VERSION_STRING *"\(.*\)"/\1/p' "$work/src/yyjson.h")
    step "compile yyjson $version" "$BUILD/log/compile-yyjson" \
        gcc -O2 -fPIC -ffunction-sections -c -o "$work/yyjson.o" "$work/src/yyjson.c"
    rm -f "$DEPS/lib/libyyjson.a"
    ar rcs "$DEPS/lib/libyyjson.a" "$work/yyjson.o"
    cp "$work/src/yyjson.h" "$DEPS/include/"
    cat >"$DEPS/lib/pkgconfig/yyjson.pc" <<END
prefix=\${pcfiledir}/../..
Name: yyjson
Description: A JSON library in C, compiled by scripts/lib/deps.sh
Version: $version
Libs: -L\${prefix}/lib -lyyjson
Cflags: -I\${prefix}/include
END
    rm -rf "$work"
}
