#!/bin/bash
# tools/deps: says what it will install, and only that. apt-get and sudo are stand-ins here.
. "$(dirname "$0")/../lib/tap.sh"

bin=$scratch/bin
mkdir -p "$bin"
for tool in bash dirname id grep sort cat uname sed env mktemp; do ln -s "$(command -v $tool)" "$bin"; done
printf '#!/bin/bash\necho "apt-get $*"\n' >"$bin/apt-get"
printf '#!/bin/bash\necho "sudo $*"\n"$@"\n' >"$bin/sudo"
chmod +x "$bin/apt-get" "$bin/sudo"

PATH=$bin "$top/tools/deps" check >"$console" 2>&1
like '^deps: installing with apt-get: clang clang-format clang-tidy cppcheck shellcheck$' 'it says what is missing'
like 'apt-get .*install .*cppcheck' 'and installs it'

printf '#!/bin/bash\necho "apt-get $*"\n[ $2 != update ]\n' >"$bin/apt-get"
PATH=$bin "$top/tools/deps" check >"$console" 2>&1
is $? 0 'a list of packages that cannot be fetched is not the end'
like '^deps: apt-get update failed' 'it is told'
printf '#!/bin/bash\nexit 1\n' >"$bin/apt-get"
PATH=$bin "$top/tools/deps" check >"$console" 2>&1
is $? 2 'what cannot be installed is'
like '^deps: apt-get could not install: clang ' 'and is named'

unlike 'universe' 'where there is no Ubuntu, nothing is said of its universe'

# sources COMPONENT... - apt has these components of an Ubuntu
sources() {
    printf '#!/bin/bash\n' >"$bin/apt-cache"
    printf 'echo "     release v=24.04,o=Ubuntu,a=noble,n=noble,l=Ubuntu,c=%s,b=amd64"\n' "$@" >>"$bin/apt-cache"
    chmod +x "$bin/apt-cache"
    PATH=$bin "$top/tools/deps" check >"$console" 2>&1
}
sources main
like "^deps: apt-get could not install: clang .*; Ubuntu's universe, .* is off: add the word universe after main in " \
    'an Ubuntu without universe: what to switch on'
sources main universe
like '^deps: apt-get could not install: clang .*shellcheck$' 'an Ubuntu with it: not that'
rm "$bin/apt-cache"

PATH=$bin CC='gcc-99 -m64' "$top/tools/deps" build >"$console" 2>&1
like '^deps: installing .* gcc-99 ' 'CC names its package'

rm "$bin/id"
printf '#!/bin/bash\necho 1000\n' >"$bin/id"
printf '#!/bin/bash\nexit 1\n' >"$bin/sudo"
chmod +x "$bin/id"
PATH=$bin "$top/tools/deps" check >"$console" 2>&1
is "$(cat "$console")" 'deps: please install (sudo does not let us): apt-get install clang clang-format clang-tidy cppcheck shellcheck' \
    'a sudo that refuses'

rm "$bin/apt-get"
PATH=$bin "$top/tools/deps" check >"$console" 2>&1
is $? 2 'without apt-get it refuses'
like '^deps: please install .*cppcheck' 'and names the packages'

for tool in clang clang-format clang-tidy cppcheck shellcheck; do ln -s /bin/true "$bin/$tool"; done
PATH=$bin "$top/tools/deps" check >"$console" 2>&1
is $? 0 'nothing missing, nothing to do'
is "$(cat "$console")" '' 'and nothing to say'

PATH=$bin "$top/tools/try-system" debian-12 >"$console" 2>&1
is "$(cat "$console")" 'try-system: only root can make a system' 'a bare system: root is needed'
printf '#!/bin/bash\necho 0\n' >"$bin/id"
PATH=$bin "$top/tools/try-system" debian-12 >"$console" 2>&1
is "$(cat "$console")" 'try-system: debootstrap is missing; tools/deps systems installs it' 'so is debootstrap'
"$top/tools/try-system" --test debian-3 >"$console" 2>&1
is $? 2 'an unknown system is refused'
like "^try-system: unknown system 'debian-3'; valid: debian-12 debian-13 ubuntu-22.04 ubuntu-24.04$" 'and the systems are named'

"$top/tools/deps" paint >"$console" 2>&1
is $? 2 'an unknown group is refused'
like "^deps: unknown group 'paint'; valid: build" 'and the groups are named'

done_testing
