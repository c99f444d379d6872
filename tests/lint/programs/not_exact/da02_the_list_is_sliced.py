def f(n):
    q = []
    for i in range(n):
        q.append(i)
        q.pop(0)
        print(q[1:])
