#!/bin/sh
# Download one part of a Debian source package into a folder: tar, the release
# that it is made of, or diff, what Debian adds.
#
#   aptsource.sh FOLDER SUITE PACKAGE "URI KEYRING" PART
#
# Its sum is in the archive's index, which the keyring's key has signed.
#
# apt runs on lists, caches and sources of its own in FOLDER, and without the
# machine's update hooks: nothing of the system is read but how to reach the
# network (proxies and the like), and nothing of it is touched.

folder=$1
suite=$2
package=$3
uri=${4%% *}
keyring=${4#* }
part=$5

mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" || exit 1
cd "$folder" || exit 1
folder=$(pwd)

echo "deb-src [signed-by=$keyring] $uri $suite main" >sources.list
cat >apt.conf <<EOF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder/cache";
Dir::Cache::archives "$folder/cache/archives";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
EOF

# update reports a source it could not reach as a mere warning.
apt-get -c apt.conf -q update -o APT::Update::Error-Mode=any || exit 1
apt-get -c apt.conf -q source --download-only "--$part-only" --only-source "$package"
