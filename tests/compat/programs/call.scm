;; SPDX-License-Identifier: GPL-2.0-or-later
;; Sends standard input, half-closes, prints what comes back: call.scm PORT
(use-modules (ice-9 binary-ports) (ice-9 threads))

(define port (socket PF_INET SOCK_STREAM 0))
(connect port AF_INET INADDR_LOOPBACK (string->number (cadr (command-line))))

(define (copy from to)
  (let ((data (get-bytevector-some from)))
    (unless (eof-object? data)
      (put-bytevector to data)
      (force-output to)
      (copy from to))))

(define sender
  (call-with-new-thread
    (lambda ()
      (copy (current-input-port) port)
      (shutdown port 1))))
(copy port (current-output-port))
(join-thread sender)
