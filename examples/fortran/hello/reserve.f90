! As write, but computes each spectrum in the channel's own memory: nothing is copied.
program reserve
    use weir
    implicit none
    type(weir_writer) :: spectrum
    real(8), pointer :: x(:, :)
    integer :: t, i
    x => null()
    call spectrum%open('lab/spectrum')
    do t = 0, huge(t) - 1
        call spectrum%reserve(x, [256, 4], op='spectrum', unit='V', order='reversed') ! others see f64[4,256]
        x = t*sin(0.01d0*reshape([(i, i=0, 4*256 - 1)], [256, 4]))
        call spectrum%commit()
        call execute_command_line('sleep 0.1')
    end do
end program reserve
