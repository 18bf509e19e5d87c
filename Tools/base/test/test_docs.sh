# Making the book, with stand-ins for Python and what pip and Sphinx do.
# shellcheck shell=sh
# shellcheck disable=SC2154

# A Python that makes environments with a Python like itself, and writes down
# what it is asked to run.
stand_in() {
    program python3 <<'END'
case $2 in
    -c) exit 0 ;;
esac
shift
echo "$*" >>"$ASKED"
case $2 in
    venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    sphinx) for target; do :; done; mkdir -p "$target" && echo page >"$target/index.html" ;;
esac
END
    ASKED=$T/asked
    export ASKED
    mkdir -p "$R/Tools/doc/book" "$R/Doc"
    echo 'sphinx==1.0 --hash=sha256:00' >"$R/Tools/doc/book/requirements.txt"
}

test_docs_are_made_in_an_environment_of_pinned_packages() {
    configured_fork -q
    stand_in
    PATH=$T/bin:$PATH
    runs make docs DOCSOPTS="-D a=b"
    says "index.html"
    grep -q -e "-m pip install .*--require-hashes -r $R/Tools/doc/book/requirements.txt" "$ASKED"
    grep -q -e "-m sphinx -b html .*-W .*-n .*-D release=1.2.dev0 -D a=b $R/Doc $B/docs\$" "$ASKED"
    : >"$ASKED"
    echo old >"$B/docs/gone.html"
    runs make docs
    [ "$(grep -c sphinx "$ASKED")" = 1 ]
    [ "$(grep -c -e '-m pip' -e '-m venv' "$ASKED")" = 0 ]
    absent "$B/docs/gone.html"
    echo 'sphinx==1.1 --hash=sha256:00' >"$R/Tools/doc/book/requirements.txt"
    runs make docs
    grep -q -e "-m pip install" "$ASKED"
}

test_docs_without_a_python_say_what_is_missing() {
    configured_fork -q
    stand_in
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        echo 'exit 1' | program "$name"
    done
    PATH=$T/bin:$PATH
    refuses make docs
    says "the book needs a Python of 3.11 or newer"
    says "$T/bin/python3 is older than 3.11"
    absent "$B/docs"
}
