! Sends a spectrum, 4 channels of 256 numbers, ten times a second until Ctrl-C.
program write
    use weir
    implicit none
    type(weir_writer) :: spectrum
    real(8) :: numbers(4, 256)
    integer :: t, i
    call spectrum%open('lab/spectrum')
    do t = 0, huge(t) - 1
        numbers = t*sin(0.01d0*reshape([(i, i=0, 4*256 - 1)], [4, 256], order=[2, 1]))
        call spectrum%send(numbers, op='spectrum', unit='V', order='row')
        call execute_command_line('sleep 0.1')
    end do
end program write
