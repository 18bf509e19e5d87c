#!/bin/sh
# Print "URI KEYRING" of the Debian archive that this machine uses, read from
# its own apt configuration; or print why there is none, with status 1.
#
#   archive.sh [security]      the archive of security updates, if asked for
#
# Both ways to write sources are read: one line per entry (*.list) and
# paragraphs (*.sources).  An entry that says it is signed by the Debian
# archive's keyring wins; next comes one that names no keyring of its own.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

wanted=${1:-main}

command -v apt-config >/dev/null 2>&1 || {
    echo "apt-config is not here"
    exit 1
}
list='' parts=''
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
default_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# "suite|components|uri|keyring" of each deb entry, in the order of the files.
entries() {
    for one in "$list" "$parts"/*.list; do
        [ -f "$one" ] || continue
        awk '
            $1 == "deb" || $1 == "deb-src" {
                signed = ""
                line = $0
                if (match(line, /\[[^]]*\]/)) {
                    n = split(substr(line, RSTART + 1, RLENGTH - 2), option, /[[:space:]]+/)
                    for (i = 1; i <= n; i++)
                        if (tolower(option[i]) ~ /^signed-by=/) signed = substr(option[i], 11)
                    line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + RLENGTH)
                }
                sub(/#.*/, "", line)
                n = split(line, word, /[[:space:]]+/)
                first = (word[1] == "") ? 2 : 1
                components = ""
                for (i = first + 3; i <= n; i++) components = components " " word[i]
                print word[first + 2] "|" components "|" word[first + 1] "|" signed
            }' "$one"
    done
    for one in "$parts"/*.sources; do
        [ -f "$one" ] || continue
        awk '
            function flush(  i, j, n, m, uri, suite) {
                if (types ~ /deb/ && tolower(enabled) != "no") {
                    n = split(uris, uri, " ")
                    m = split(suites, suite, " ")
                    for (i = 1; i <= n; i++)
                        for (j = 1; j <= m; j++)
                            print suite[j] "|" components "|" uri[i] "|" signed
                }
                types = uris = suites = components = signed = enabled = field = ""
            }
            /^#/ { next }
            /^[[:space:]]*$/ { flush(); next }
            /^[[:space:]]/ { value = $0 }
            /^[^[:space:]]/ {
                field = tolower($0); sub(/:.*/, "", field)
                value = $0; sub(/^[^:]*:/, "", value)
            }
            {
                gsub(/^[[:space:]]+|[[:space:]]+$/, "", value)
                if (field == "types") types = types " " value
                else if (field == "uris") uris = uris " " value
                else if (field == "suites") suites = suites " " value
                else if (field == "components") components = components " " value
                else if (field == "enabled") enabled = value
                else if (field == "signed-by") signed = signed value
            }
            END { flush() }' "$one"
    done
}

best_rank=9 best_uri='' best_keyring=''
while IFS='|' read -r suite components uri signed; do
    case " $components " in *" main "*) ;; *) continue ;; esac
    case $suite$uri in *security*) of=security ;; *) of=main ;; esac
    [ "$of" = "$wanted" ] || continue
    case $uri in cdrom:* | '') continue ;; esac
    case $signed in
        */debian-archive*) rank=1 keyring=$signed ;;
        '') rank=3 keyring=$default_keyring ;;
        *) continue ;;
    esac
    case $rank${uri%/} in 3*/debian | 3*/debian-security) rank=2 ;; esac
    if [ "$rank" -lt "$best_rank" ] && [ -r "$keyring" ]; then
        best_rank=$rank best_uri=$uri best_keyring=$keyring
    fi
done <<EOF
$(entries)
EOF

if [ "$best_rank" = 9 ]; then
    if [ -r "$default_keyring" ]; then
        what="Debian archive"
        [ "$wanted" = main ] || what="Debian archive of security updates"
        echo "apt's sources on this machine name no $what with a 'main' component"
    else
        echo "no Debian archive with its keyring in apt's sources (Debian package: debian-archive-keyring)"
    fi
    exit 1
fi
# A keyring made for one release does not vouch for the next.
case $best_keyring in
    "$default_keyring") ;;
    *) [ ! -r "$default_keyring" ] || best_keyring=$default_keyring ;;
esac
printf '%s %s\n' "$best_uri" "$best_keyring"
