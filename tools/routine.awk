# A function's name without what compilers put behind it: another kernel's compiler puts something else.
function routine_of(name) {
    sub(/\.(part|constprop|isra|cold|llvm)(\.[.a-z0-9]*)?$/, "", name)
    return name
}
