! Asks the calculator, which may be written in any language: call [OP [NUMBER]].
program call
    use, intrinsic :: iso_fortran_env, only: error_unit
    use weir
    implicit none
    type(weir_client) :: calculator
    type(weir_error) :: error
    character(20) :: op = 'double', number = '21'
    real(8) :: x
    integer :: stat
    if (command_argument_count() > 0) call get_command_argument(1, op)
    if (command_argument_count() > 1) call get_command_argument(2, number)
    read (number, *) x
    call calculator%open('lab/calculator')
    call calculator%call(op, x, timeout=5d0, stat=stat)
    if (stat /= WEIR_OK) then
        error = calculator%error()
        write (error_unit, '(a, i0, 2a)') 'error ', error%sys_errno, ': ', error%text
        stop 1, quiet=.true.
    end if
    call calculator%get('', x)
    print '(g0)', x
end program call
