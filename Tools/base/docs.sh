#!/bin/sh
# Make the book: BUILD/docs/index.html, of Doc/, by Sphinx.
#
#   docs.sh ROOT BUILD [OPTION...]
#
# Sphinx and its theme are installed into a virtual environment, BUILD/docs-env,
# from the package index that pip is set up to use, in the versions and with the
# checksums of Tools/doc/book/requirements.txt.  The environment is made anew when
# that file changes.  Options go to sphinx-build.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
shift 2
book=$root/Tools/doc/book
environment=$build/docs-env
inside=$environment/bin/python
stamp=$build/stamp/docs-env

# Print the first Python that can make an environment, or say what is missing.
find_python() {
    fp_seen=
    for fp_python in python3 python3.14 python3.13 python3.12 python3.11 "$build/fork/python"; do
        fp_path=$(command -v "$fp_python" 2>/dev/null) || continue
        if ! "$fp_path" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            fp_seen="$fp_seen; $fp_path is older than 3.11"
        elif ! "$fp_path" -I -c 'import ensurepip, ssl, venv, zlib' 2>/dev/null; then
            fp_seen="$fp_seen; $fp_path has no venv, ensurepip, ssl or zlib (Debian package: python3-venv)"
        else
            printf '%s\n' "$fp_path"
            return
        fi
    done
    die "the book needs a Python of 3.11 or newer, to install Sphinx with: install python3 and python3-venv, or make the fork first${fp_seen}"
}

want=$(sha256_of "$book/requirements.txt") || exit 1
if [ ! -x "$inside" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    python=$(find_python) || exit 1
    dry_run docs "$python -m venv $environment, pip install and sphinx-build" && exit 0
    rm -rf "$environment" "$stamp"
    "$here/step.sh" "$build/log" docs-env "an environment for Sphinx" \
        "$python" -I -m venv "$environment" || exit
    "$here/step.sh" "$build/log" docs-packages "installing Sphinx" \
        "$inside" -I -m pip install --disable-pip-version-check --no-input \
        --only-binary :all: --require-hashes -r "$book/requirements.txt" || exit
    echo "$want" | write_stamp "$stamp"
fi
dry_run docs "sphinx-build $root/Doc $build/docs" && exit 0

# All is read anew: a page that was read before would not warn again, and the
# second run would pass.
version=$(fork_version "$root") || exit 1
rm -rf "$build/docs"
"$here/step.sh" "$build/log" docs "making the book" \
    "$inside" -I -m sphinx -b html -E -W --keep-going -n -q -c "$book" \
    -d "$environment/doctrees" -D "version=$version" -D "release=$version" "$@" \
    "$root/Doc" "$build/docs" || exit
say docs "$build/docs/index.html"
