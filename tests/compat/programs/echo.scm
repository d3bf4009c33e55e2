;; SPDX-License-Identifier: GPL-2.0-or-later
;; Sends back what comes until the client half-closes, a thread for each connection: echo.scm PORT
(use-modules (ice-9 binary-ports) (ice-9 threads))

(define listener (socket PF_INET SOCK_STREAM 0))
(setsockopt listener SOL_SOCKET SO_REUSEADDR 1)
(bind listener AF_INET INADDR_LOOPBACK (string->number (cadr (command-line))))
(listen listener 64)

(define (serve port)
  (let ((data (get-bytevector-some port)))
    (if (eof-object? data)
        (close-port port)
        (begin
          (put-bytevector port data)
          (force-output port)
          (serve port)))))

(let loop ()
  (let ((port (car (accept listener))))
    (call-with-new-thread (lambda () (serve port)))
    (loop)))
