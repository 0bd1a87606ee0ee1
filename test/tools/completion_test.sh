#!/bin/bash
# The shells' completions: what the command offers is what its --help says, and bash, zsh and fish offer it.
#
#   completion_test.sh PROJECT COMMAND [LIBRARY]
#
# LIBRARY is what a process is to be offered for. Shells that are not installed are left out.
set -u

project=$1
completions=$project/tools/completions
command=$2
library=${3-}
failures=0
PATH=$(dirname "$command"):$PATH

expect() { # WHAT EXPECTED ACTUAL
    if [[ $2 == "$3" ]]; then
        echo "ok: $1"
    else
        printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "${2//$'\n'/ }" "${3//$'\n'/ }"
        failures=$((failures + 1))
    fi
}

offers_all() { # WHAT WANTED OFFERED, one a line
    expect "$1" '' "$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3"))"
}

offered() { "$command" --complete "$@" | cut -f1; }

# ---- the command

subcommands=$("$command" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z][a-z-]*\) .*/\1/p')
[[ $(wc -l <<<"$subcommands") -ge 5 ]] || expect 'the subcommands that --help lists' 'five or more' "$subcommands"
offers_all 'every subcommand that --help lists is offered' "$subcommands" "$(offered '')"
for subcommand in $subcommands; do
    options=$("$command" "$subcommand" --help | grep -o '^  [^ ].*' | grep -oE '(^  |,)(-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    offers_all "every option of $subcommand is offered" "$options" "$(offered "$subcommand" --)"
done

keys=$("$command" options --json | sed -n 's/.*"key": "\(.*\)",.*/\1:/p')
expect 'every option key is offered' "$keys" "$(offered set 1 '')"
expect 'the key behind a comma' 'check:true,background:' "$(offered run --conf check:true,back)"
expect 'the values of a key' $'check:true\ncheck:false' "$(offered set 1 check:)"
expect 'a number has no candidates' '' "$(offered trim --wait '')"
expect 'the program of run is not ours' ':program 3' "$(offered run --force -- ls -)"
if grep -q '^bench$' <<<"$subcommands"; then
    expect 'workloads' 'pair/16' "$(offered bench pair/16)"
    expect 'the value of an option is a file' ':files' "$(offered bench --html=)"
fi
if [[ $library ]]; then
    LD_PRELOAD=$library sleep 60 &
    process=$!
    for ((i = 0; i < 100; ++i)); do
        grep -q liblowtide "/proc/$process/maps" && break
        sleep 0.05
    done
    expect 'a process that runs on Lowtide' "$process" "$(offered trim "$process" | grep -x "$process")"
    expect 'a process that does not' '' "$(offered trim $$ | grep -x $$)"
    kill "$process"
fi

# ---- bash: words as it cuts them, at COMP_WORDBREAKS

bash_offers() { # WORD...
    bash -c '
        source /usr/share/bash-completion/bash_completion
        source "$1"
        COMP_WORDS=("${@:2}")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMP_LINE=${COMP_WORDS[*]}
        COMP_LINE=${COMP_LINE// : /:}
        COMP_LINE=${COMP_LINE// = /=}
        COMP_POINT=${#COMP_LINE}
        compopt() { :; } # there is no readline here
        _lowtide lowtide
        printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$completions/lowtide.bash" "$@"
}
if [[ -r /usr/share/bash-completion/bash_completion ]]; then
    expect 'bash: a subcommand' 'trim' "$(bash_offers lowtide tr)"
    expect 'bash: an option' '--force' "$(bash_offers lowtide run --fo)"
    expect 'bash: a key' 'window:' "$(bash_offers lowtide set 1 win)"
    expect 'bash: a value' $'true\nfalse' "$(bash_offers lowtide set 1 check : '')"
    expect 'bash: a key behind = and :' 'true,window:' "$(bash_offers lowtide run --conf = check : true,win)"
    expect 'bash: a file' "$project/README.md" "$(bash_offers lowtide run --report = "$project/READ")"
    expect 'bash: a program of run' 'sleep' "$(bash_offers lowtide run -- slee | grep -x sleep | uniq)"
else
    echo 'skipped: bash-completion is not installed'
fi

# ---- zsh: compadd and what calls it are stand-ins

zsh_offers() { # WORD...
    zsh -f -c '
        compadd() { print -rl -- "${(@P)@[-1]}" }
        compset() { PREFIX=${PREFIX#*=} }
        _files() { print -r -- "files $PREFIX" }
        _normal() { print -r -- "program $words, $CURRENT" }
        file=$1
        shift
        words=("$@") CURRENT=$# PREFIX=${@[-1]}
        complete_it() { source $file }
        complete_it
    ' zsh "$completions/_lowtide" "$@" | sed '/^$/d'
}
if command -v zsh >/dev/null; then
    expect 'zsh: its syntax' '' "$(zsh -n "$completions/_lowtide" 2>&1)"
    expect 'zsh: a subcommand' 'trim' "$(zsh_offers lowtide tr)"
    expect 'zsh: a key' 'check:true,window:' "$(zsh_offers lowtide set 1 check:true,win)"
    expect 'zsh: a file' 'files x' "$(zsh_offers lowtide run --report=x)"
    expect 'zsh: a program of run' 'program ls -l, 2' "$(zsh_offers lowtide run --force ls -l)"
else
    echo 'skipped: zsh is not installed'
fi

# ---- fish

# shellcheck disable=SC2016 # fish expands them
fish_offers() { # LINE
    fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$completions/lowtide.fish" "$1" | cut -f1
}
if command -v fish >/dev/null; then
    HOME=$(mktemp -d)
    export HOME
    expect 'fish: its syntax' '' "$(fish -n "$completions/lowtide.fish" 2>&1)"
    expect 'fish: a subcommand' 'trim' "$(fish_offers 'lowtide tr')"
    expect 'fish: an option' '--force' "$(fish_offers 'lowtide run --fo')"
    expect 'fish: a key' 'check:true,window:' "$(fish_offers 'lowtide set 1 check:true,win')"
    expect 'fish: a file' "--report=$project/README.md" "$(fish_offers "lowtide run --report=$project/READ")"
    expect 'fish: a program of run' 'sleep' "$(fish_offers 'lowtide run -- slee' | grep -x sleep)"
    rm -rf "$HOME"
else
    echo 'skipped: fish is not installed'
fi

((failures == 0))
