"""The words of the system, as frozen values.

Values are trees: nothing in them can lead back to itself. So the cyclic collector is told not to
look at them (`gc=False`); with ten thousand live orders its rounds were the longest pauses of the
desk.
"""
