# bootstrap, with made-up package tools and a made-up build.
# shellcheck shell=sh
# shellcheck disable=SC2154

# A clone whose configure and make only write down what they are asked.
bootstrap_clone() {
    R=$T/repo
    mkdir -p "$R/Tools/demo" "$R/Tools/base"
    cp "$clone/bootstrap" "$R/"
    only_programs make nproc
    program dpkg-query <<END
for package; do :; done
if grep -qx "\$package" $T/installed; then echo installed; else echo not-installed; fi
END
    program apt-get <<END
echo "apt-get \$*" >>$T/calls
[ ! -f $T/apt-breaks ] || { echo "E: no network"; exit 100; }
for package; do echo "\$package" >>$T/installed; done
END
    program id <<END
cat $T/uid
END
    echo 0 >"$T/uid"
    : >"$T/calls"
    cat >"$R/configure" <<END
#!/bin/sh
echo "configure \$*" >>$T/calls
mkdir -p build
echo " '\$1'" >build/arguments
: >config.status
cat >Makefile <<'MAKE'
all:
	@echo "make all" >>$T/calls; test ! -f $T/build-breaks
	@mkdir -p build/stamp; test -f build/stamp/fork || : >build/stamp/fork
install:
	@echo "make install" >>$T/calls; mkdir -p build/prefix/bin
	@printf '%s\\n' '#!/bin/sh' 'echo "demo runs \$\$*"' >build/prefix/bin/python3.13
	@chmod +x build/prefix/bin/python3.13
	@echo '$R/build/prefix' >build/stamp/install
fork stock torture-built:
	@echo "make \$@" >>$T/calls
MAKE
END
    chmod +x "$R/configure"
    printf '#!/bin/sh\necho "test $1 $2"\necho "7 passed, 0 failed"\n' >"$R/Tools/base/test.sh"
    chmod +x "$R/Tools/base/test.sh"
    sed -n '/^packages="/,/"$/p' "$R/bootstrap" >"$T/list"
    # shellcheck source=/dev/null
    . "$T/list"
    # shellcheck disable=SC2154,SC2086
    printf '%s\n' $packages >"$T/installed"
}

test_bootstrap_demo_goes_all_the_way_and_reuses_it() {
    bootstrap_clone
    runs "$R/bootstrap" demo
    says "all there"
    says "demo runs Tools/demo/stdlib_index.py"
    same "$(cat "$T/calls")" "configure --prefix=$R/build/prefix
make all
make install"
    : >"$T/calls"
    runs "$R/bootstrap" demo
    says "demo runs"
    same "$(cat "$T/calls")" "make all"
}

test_bootstrap_installs_only_what_is_missing() {
    bootstrap_clone
    grep -vx -e zlib1g-dev -e patch "$T/installed" >"$T/some"
    mv "$T/some" "$T/installed"
    runs "$R/bootstrap" demo
    grep -qx "apt-get install -y --no-install-recommends patch zlib1g-dev" "$T/calls"
}

test_bootstrap_uses_sudo_when_not_root() {
    bootstrap_clone
    echo 1000 >"$T/uid"
    echo make >"$T/installed"
    program sudo <<END
echo "sudo \$*" >>$T/calls
exec "\$@"
END
    runs "$R/bootstrap" demo
    grep -q "^sudo apt-get update" "$T/calls"
    grep -q "^sudo env DEBIAN_FRONTEND=noninteractive apt-get install" "$T/calls"
    rm "$T/bin/sudo"
    echo make >"$T/installed"
    refuses "$R/bootstrap" demo
    says "neither root nor sudo"
    says "apt-get install build-essential"
}

test_bootstrap_elsewhere_prints_the_list_and_stops() {
    bootstrap_clone
    rm "$T/bin/apt-get"
    refuses "$R/bootstrap" demo
    says "not a Debian-like system"
    says "  libffi-dev"
    same "$(cat "$T/calls")" ""
}

test_bootstrap_names_the_step_that_failed_and_resumes() {
    bootstrap_clone
    : >"$T/build-breaks"
    refuses "$R/bootstrap" demo
    says 'step "3 of 5: build'
    rm "$T/build-breaks"
    : >"$T/calls"
    runs "$R/bootstrap" demo
    same "$(cat "$T/calls")" "make all
make install"
}

test_bootstrap_shows_what_apt_said_when_it_failed() {
    bootstrap_clone
    echo make >"$T/installed"
    : >"$T/apt-breaks"
    refuses "$R/bootstrap" demo
    says "E: no network"
    says "$R/build/log/packages.log"
}

test_bootstrap_test_ends_with_the_count() {
    bootstrap_clone
    runs "$R/bootstrap" test
    same "$(tail -n 1 "$T/said")" "7 passed, 0 failed"
    says "test $R $R/build"
}

test_bootstrap_says_how_it_is_used() {
    bootstrap_clone
    runs "$R/bootstrap"
    says "usage: ./bootstrap demo"
    runs "$R/bootstrap" help
    says "usage: ./bootstrap demo"
    refuses "$R/bootstrap" dmeo
    same "$(cat "$T/said")" "bootstrap: 'dmeo' is not known; say demo, test or help"
    status=0
    "$R/bootstrap" dmeo 2>/dev/null || status=$?
    same "$status" 2
    status=0
    "$R/bootstrap" demo test 2>/dev/null || status=$?
    same "$status" 2
    refuses "$R/bootstrap" demo --prefix=/elsewhere
    same "$(cat "$T/calls")" ""
}

test_bootstrap_hands_options_to_configure() {
    bootstrap_clone
    runs "$R/bootstrap" demo --with-security-fixes="$T/a folder" --with-pydebug
    grep -qxF "configure --prefix=$R/build/prefix --with-security-fixes=$T/a folder --with-pydebug" "$T/calls"
    : >"$T/calls"
    runs "$R/bootstrap" demo --with-security-fixes="$T/a folder" --with-pydebug
    same "$(cat "$T/calls")" "make all"
    runs "$R/bootstrap" demo
    grep -qxF "configure --prefix=$R/build/prefix" "$T/calls"
    # Somebody has configured by hand meanwhile.
    echo "fixes = no" >>"$R/Makefile"
    : >"$T/calls"
    runs "$R/bootstrap" demo
    grep -qxF "configure --prefix=$R/build/prefix" "$T/calls"
}
