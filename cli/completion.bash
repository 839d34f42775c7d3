# Bash completion for weir: commands, their options as help states them, and the addresses that are there.
_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
    if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$verb" = help ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "help --version $(weir help | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word")
    elif [ "$verb" = dump ] && [ "${COMP_WORDS[COMP_CWORD-1]}" = --codec ]; then
        mapfile -t COMPREPLY < <(compgen -W "json cbor smile bson frame" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir help "$verb" | sed -n 's/^  \(--*[a-z-]*\) .*/\1/p')" -- "$word")
    elif [[ $verb = exec && ${COMP_WORDS[COMP_CWORD-1]} == -[io] ]] ||
        [[ $verb = record && ${COMP_WORDS[COMP_CWORD-1]} != -* || $verb = play && ${COMP_WORDS[COMP_CWORD-1]} == --only ]] ||
        { [ "$COMP_CWORD" -eq 2 ] && [[ " pub sub get call serve info " == *" $verb "* ]]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir ls | cut -f1 | sed 's|^shm://||')" -- "$word")
    else
        compopt -o default
    fi
}
complete -F _weir weir
