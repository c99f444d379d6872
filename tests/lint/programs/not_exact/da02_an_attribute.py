class A:
    def f(self):
        self.q = []

    def g(self, x):
        self.q.append(x)
        self.q.pop(0)
