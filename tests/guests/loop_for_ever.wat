;; Hostile: loops for ever without a single call or allocation, so that only the interruption of
;; running code can get the worker back.
;;
;; Expected: the process never ends by itself and can be killed; beside it other processes of the
;; same node keep answering; a node whose root it is ends on the second Ctrl-C at the latest.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $for_ever
      (br $for_ever))))
